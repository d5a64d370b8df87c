//! The form in which functions are evaluated: names are resolved, and what is not implemented says so.

use std::sync::Arc;

use num_bigint::BigInt;

use crate::value::Str;

/// A function, a lambda, a class body or a generator expression.
#[derive(Debug)]
pub(crate) struct Code {
    pub(crate) name: Str,
    pub(crate) line: u32,
    pub(crate) parameters: Vec<Parameter>,
    /// How many parameters are positional only.
    pub(crate) positional_only: usize,
    /// How many parameters, from the first, are positional.
    pub(crate) positional: usize,
    /// The variable for more positional arguments.
    pub(crate) rest: Option<Place>,
    /// The variable for more named arguments.
    pub(crate) named_rest: Option<Place>,
    pub(crate) slots: Vec<Str>,
    pub(crate) cells: Vec<Str>,
    /// Where the enclosing function has what this one uses of it.
    pub(crate) captures: Vec<(Capture, Str)>,
    pub(crate) body: Vec<Stmt>,
    /// The modules that names of this function are bound to, by their own imports.
    pub(crate) text: Option<Str>,
}

/// Where a captured variable is, seen from the enclosing function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Capture {
    Cell(usize),
    Free(usize),
}

/// A parameter that has a name of its own.
#[derive(Debug)]
pub(crate) struct Parameter {
    pub(crate) name: Str,
    pub(crate) place: Place,
}

/// A function with the expressions that are evaluated where it is defined.
#[derive(Debug)]
pub(crate) struct Definition {
    pub(crate) code: Arc<Code>,
    /// The defaults of the last positional parameters, then those of named ones, by their index in the parameters.
    pub(crate) defaults: Vec<(usize, Expr)>,
    pub(crate) decorators: Vec<(Expr, u32)>,
}

/// Where a variable is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Slot(usize),
    Cell(usize),
    Free(usize),
    /// A name of the module, by its index there.
    Global(usize),
    /// A name of the class whose body this is, by the index of the same name in the module.
    Class(usize),
}

#[derive(Debug)]
pub(crate) enum Const {
    None,
    Bool(bool),
    Int(i64),
    Big(Arc<BigInt>),
    Float(f64),
    Str(Str),
    Bytes(Arc<[u8]>),
    Ellipsis,
}

#[derive(Debug)]
pub(crate) enum Expr {
    Const(Const),
    Name(Place),
    And(Vec<Expr>),
    Or(Vec<Expr>),
    Not(Box<Expr>),
    Unary(Unary, Box<Expr>),
    Binary(Binary, Box<(Expr, Expr)>),
    Compare(Box<Expr>, Vec<(Comparison, Expr)>),
    If(Box<(Expr, Expr, Expr)>),
    List(Vec<Item>),
    Tuple(Vec<Item>),
    Set(Vec<Item>),
    /// Without a key, the value is a mapping whose entries are added.
    Dict(Vec<(Option<Expr>, Expr)>),
    Comprehension(Box<Comprehension>),
    Generator(Arc<Generator>),
    Lambda(Box<Definition>),
    Call(Box<Call>),
    Attribute(Box<Attribute>),
    Subscript(Box<(Expr, Expr)>),
    Slice(Box<[Option<Expr>; 3]>),
    Format(Vec<FormatPart>),
    Named(Box<(Target, Expr)>),
    Unsupported(Str, u32),
}

/// An element of a display or an argument; a starred one stands for all that it iterates over.
#[derive(Debug)]
pub(crate) struct Item {
    pub(crate) starred: bool,
    pub(crate) value: Expr,
}

#[derive(Debug)]
pub(crate) struct Attribute {
    pub(crate) object: Expr,
    pub(crate) name: Str,
    pub(crate) line: u32,
    /// The module that the object is, where imports say so.
    pub(crate) module: Option<Str>,
}

#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) function: Expr,
    pub(crate) args: Vec<Item>,
    /// Without a name, the value is a mapping of arguments.
    pub(crate) keywords: Vec<(Option<Str>, Expr)>,
    pub(crate) line: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    List,
    Set,
    Dict,
}

#[derive(Debug)]
pub(crate) struct Comprehension {
    pub(crate) kind: Kind,
    /// The element, or key and value.
    pub(crate) element: Expr,
    pub(crate) value: Option<Expr>,
    pub(crate) clauses: Vec<Clause>,
    /// The cells that are new each time.
    pub(crate) cells: Vec<usize>,
    /// The slots that are unbound before.
    pub(crate) slots: Vec<usize>,
}

#[derive(Debug)]
pub(crate) struct Clause {
    pub(crate) target: Target,
    pub(crate) iterable: Expr,
    pub(crate) conditions: Vec<Expr>,
}

#[derive(Debug)]
pub(crate) struct Generator {
    pub(crate) code: Code,
    pub(crate) element: Expr,
    /// The iterable of the first clause is evaluated by the enclosing function.
    pub(crate) first: Expr,
    pub(crate) clauses: Vec<Clause>,
}

#[derive(Debug)]
pub(crate) enum FormatPart {
    Text(Str),
    Value(Box<FormatValue>),
}

#[derive(Debug)]
pub(crate) struct FormatValue {
    pub(crate) value: Expr,
    /// `!r`, `!s` or `!a`.
    pub(crate) conversion: Option<char>,
    pub(crate) spec: Vec<FormatPart>,
    /// The text before it, of `{value=}`.
    pub(crate) debug: Option<Str>,
}

#[derive(Debug)]
pub(crate) enum Target {
    Name(Place),
    Attribute(Box<Expr>, Str),
    Subscript(Box<(Expr, Expr)>),
    /// With the index of the starred one.
    Unpack(Vec<Target>, Option<usize>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unary {
    Minus,
    Plus,
    Invert,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Binary {
    Add,
    Subtract,
    Multiply,
    Divide,
    FloorDivide,
    Modulo,
    Power,
    LeftShift,
    RightShift,
    Or,
    Xor,
    And,
}

impl Binary {
    pub(crate) fn sign(self) -> &'static str {
        match self {
            Binary::Add => "+",
            Binary::Subtract => "-",
            Binary::Multiply => "*",
            Binary::Divide => "/",
            Binary::FloorDivide => "//",
            Binary::Modulo => "%",
            Binary::Power => "** or pow()",
            Binary::LeftShift => "<<",
            Binary::RightShift => ">>",
            Binary::Or => "|",
            Binary::Xor => "^",
            Binary::And => "&",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    Is,
    IsNot,
    In,
    NotIn,
}

#[derive(Debug)]
pub(crate) struct Stmt {
    pub(crate) line: u32,
    pub(crate) kind: StmtKind,
}

#[derive(Debug)]
pub(crate) enum StmtKind {
    Pass,
    Expr(Expr),
    Assign(Vec<Target>, Expr),
    Augment(Target, Binary, Expr),
    For {
        target: Target,
        iterable: Expr,
        body: Vec<Stmt>,
        otherwise: Vec<Stmt>,
    },
    While {
        test: Expr,
        body: Vec<Stmt>,
        otherwise: Vec<Stmt>,
    },
    If(Vec<(Expr, Vec<Stmt>)>, Vec<Stmt>),
    Return(Expr),
    Break,
    Continue,
    Function(Box<Definition>, Place),
    Class(Box<ClassDefinition>, Place),
    Import(Vec<Import>),
    Try {
        body: Vec<Stmt>,
        handlers: Vec<Handler>,
        otherwise: Vec<Stmt>,
        finally: Vec<Stmt>,
    },
    Raise(Option<Expr>, Option<Expr>),
    Assert(Expr, Option<Expr>),
    Delete(Vec<Target>),
    /// Objects that are entered, what they are bound to, and what runs then.
    With(Vec<(Expr, Option<Target>)>, Vec<Stmt>),
    Unsupported(Str),
}

#[derive(Debug)]
pub(crate) struct Import {
    /// The module, with as many dots before it as it is relative.
    pub(crate) module: Str,
    /// What is taken from it; the module itself where there is none.
    pub(crate) name: Option<Str>,
    /// Whether only the first part of the module's name is bound.
    pub(crate) first_part: bool,
    pub(crate) place: Place,
}

#[derive(Debug)]
pub(crate) struct Handler {
    pub(crate) class: Option<Expr>,
    pub(crate) place: Option<Place>,
    pub(crate) body: Vec<Stmt>,
}

#[derive(Debug)]
pub(crate) struct ClassDefinition {
    pub(crate) name: Str,
    pub(crate) bases: Vec<Expr>,
    pub(crate) decorators: Vec<(Expr, u32)>,
    /// The names that are annotated in its body, in their order.
    pub(crate) annotated: Vec<Str>,
    pub(crate) code: Arc<Code>,
}
