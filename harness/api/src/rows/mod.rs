//! Reads rows.
