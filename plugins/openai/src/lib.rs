#![allow(dead_code)]
mod pace;
