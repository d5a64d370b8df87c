//! What a template says.

/// An operator between two values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Binary {
    Add,
    Sub,
    Mul,
    Div,
    FloorDiv,
    Mod,
    Pow,
}

/// A comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    In,
    NotIn,
}

/// What a call, a filter or a test is given.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Arguments {
    pub(super) values: Vec<Expr>,
    pub(super) named: Vec<(String, Expr)>,
}

/// A value that is computed.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Expr {
    None,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    Name(String),
    Tuple(Vec<Expr>),
    List(Vec<Expr>),
    Dict(Vec<(Expr, Expr)>),
    Attribute(Box<Expr>, String),
    Item(Box<Expr>, Box<Expr>),
    Slice(Box<Expr>, [Option<Box<Expr>>; 3]),
    Call(Box<Expr>, Arguments),
    Filter(Box<Expr>, String, Arguments),
    Test(Box<Expr>, String, Arguments),
    Not(Box<Expr>),
    Negative(Box<Expr>),
    Positive(Box<Expr>),
    And(Box<Expr>, Box<Expr>),
    Or(Box<Expr>, Box<Expr>),
    Compare(Box<Expr>, Vec<(Comparison, Expr)>),
    Binary(Binary, Box<Expr>, Box<Expr>),
    Concat(Vec<Expr>),
    If { test: Box<Expr>, then: Box<Expr>, otherwise: Option<Box<Expr>> },
}

/// What a value is given to.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Target {
    Name(String),
    /// An attribute of a `namespace`.
    Attribute(String, String),
    Tuple(Vec<Target>),
}

/// A part of a template.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Node {
    Text(String),
    Print(Expr),
    If { branches: Vec<(Expr, Vec<Node>)>, otherwise: Vec<Node> },
    For { target: Target, over: Expr, only: Option<Expr>, body: Vec<Node>, otherwise: Vec<Node> },
    Set(Target, Expr),
    SetBlock(String, Vec<Node>),
    With(Vec<(Target, Expr)>, Vec<Node>),
}
