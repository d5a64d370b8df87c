//! Operations on values, for programs that evaluate expressions of their own, such as those of templates.

use super::{Session, arithmetic};
use crate::error::Error;
use crate::program::Program;
use crate::program::ir::{Binary, Comparison};
use crate::value::{Value, truth};

/// An operator between two values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// `+`.
    Add,
    /// `-`.
    Subtract,
    /// `*`.
    Multiply,
    /// `/`.
    Divide,
    /// `//`.
    FloorDivide,
    /// `%`.
    Modulo,
    /// `**`.
    Power,
}

/// A comparison of two values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    /// `==`.
    Equal,
    /// `!=`.
    NotEqual,
    /// `<`.
    Less,
    /// `<=`.
    LessEqual,
    /// `>`.
    Greater,
    /// `>=`.
    GreaterEqual,
    /// `in`.
    In,
    /// `not in`.
    NotIn,
}

impl Session {
    /// An interpreter without a file, for operations on values alone.
    pub fn bare() -> Self {
        Session::new(&Program::empty())
    }

    /// `left operator right`.
    ///
    /// # Errors
    /// What Python raises, what is not implemented, or a value that is too large.
    pub fn operate(&mut self, operator: Operator, left: &Value, right: &Value) -> Result<Value, Error> {
        self.steps = self.limits.steps;
        let operator = match operator {
            Operator::Add => Binary::Add,
            Operator::Subtract => Binary::Subtract,
            Operator::Multiply => Binary::Multiply,
            Operator::Divide => Binary::Divide,
            Operator::FloorDivide => Binary::FloorDivide,
            Operator::Modulo => Binary::Modulo,
            Operator::Power => Binary::Power,
        };
        arithmetic::binary(self, operator, left, right)
    }

    /// Whether `left relation right`.
    ///
    /// # Errors
    /// What Python raises, or what is not implemented.
    pub fn relate(&mut self, relation: Relation, left: &Value, right: &Value) -> Result<bool, Error> {
        self.steps = self.limits.steps;
        let comparison = match relation {
            Relation::Equal => Comparison::Equal,
            Relation::NotEqual => Comparison::NotEqual,
            Relation::Less => Comparison::Less,
            Relation::LessEqual => Comparison::LessEqual,
            Relation::Greater => Comparison::Greater,
            Relation::GreaterEqual => Comparison::GreaterEqual,
            Relation::In => Comparison::In,
            Relation::NotIn => Comparison::NotIn,
        };
        Ok(truth(&self.compare(comparison, left, right)?))
    }

    /// `object.name`.
    ///
    /// # Errors
    /// `AttributeError`, or what is not implemented.
    pub fn attribute_of(&mut self, object: &Value, name: &str) -> Result<Value, Error> {
        self.steps = self.limits.steps;
        self.attribute(object, name)
    }

    /// `object[index]`.
    ///
    /// # Errors
    /// What Python raises, or what is not implemented.
    pub fn item_of(&mut self, object: &Value, index: &Value) -> Result<Value, Error> {
        self.steps = self.limits.steps;
        self.item(object, index)
    }
}
