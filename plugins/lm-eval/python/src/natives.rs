//! Functions that the program supplies, and the arguments of native functions.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use crate::error::Error;
use crate::run::Session;
use crate::value::{Str, Value};

type HookFn = dyn Fn(&mut Session, Arguments) -> Result<Value, Error> + Send + Sync;

/// A function that the program supplies.
pub struct Hook {
    name: String,
    function: Box<HookFn>,
}

impl Hook {
    pub(crate) fn call(&self, session: &mut Session, args: Arguments) -> Result<Value, Error> {
        (self.function)(session, args)
    }
}

impl fmt::Debug for Hook {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "Hook({})", self.name)
    }
}

/// Functions of modules that this crate does not implement and the program does, such as those of `sklearn.metrics`.
#[derive(Debug, Default)]
pub struct Natives {
    modules: HashMap<String, HashMap<String, Arc<Hook>>>,
    attributes: HashSet<String>,
}

impl Natives {
    /// None.
    pub fn new() -> Self {
        Natives::default()
    }

    /// Adds a function: `register("sklearn.metrics", "f1_score", ...)`.
    pub fn register<F>(&mut self, module: &str, name: &str, function: F)
    where
        F: Fn(&mut Session, Arguments) -> Result<Value, Error> + Send + Sync + 'static,
    {
        let hook = Hook { name: format!("{module}.{name}"), function: Box::new(function) };
        self.modules.entry(module.to_owned()).or_default().insert(name.to_owned(), Arc::new(hook));
    }

    /// Says that objects of the supplied functions have an attribute or a method of this name.
    pub fn attribute(&mut self, name: &str) {
        self.attributes.insert(name.to_owned());
    }

    pub(crate) fn has_module(&self, module: &str) -> bool {
        self.modules.contains_key(module)
            || self.modules.keys().any(|name| name.strip_prefix(module).is_some_and(|rest| rest.starts_with('.')))
    }

    pub(crate) fn get(&self, module: &str, name: &str) -> Option<&Arc<Hook>> {
        self.modules.get(module)?.get(name)
    }

    pub(crate) fn has_attribute(&self, name: &str) -> bool {
        self.attributes.contains(name)
    }
}

/// The arguments of a call.
#[derive(Debug, Clone, Default)]
pub struct Arguments {
    /// Those without a name.
    pub positional: Vec<Value>,
    /// Those with one.
    pub keywords: Vec<(Str, Value)>,
}

impl Arguments {
    /// Arguments without names.
    pub fn of(positional: Vec<Value>) -> Self {
        Arguments { positional, keywords: Vec::new() }
    }

    /// The arguments by the names of the function's parameters, the first `required` of which must be there.
    ///
    /// # Errors
    /// `TypeError` for too many or too few; an argument of another name is not implemented.
    pub fn bind<const N: usize>(
        self,
        function: &str,
        names: [&str; N],
        required: usize,
    ) -> Result<[Option<Value>; N], Error> {
        let mut bound = [const { None }; N];
        if self.positional.len() > N {
            let count = self.positional.len();
            return Err(Error::type_error(format!("{function}() takes at most {N} arguments ({count} given)")));
        }
        for (place, value) in bound.iter_mut().zip(self.positional) {
            *place = Some(value);
        }
        for (name, value) in self.keywords {
            let Some(index) = names.iter().position(|known| *known == &*name) else {
                return Err(Error::unsupported(format!("the argument `{name}` of `{function}`")));
            };
            if bound[index].replace(value).is_some() {
                return Err(Error::type_error(format!("{function}() got multiple values for argument '{name}'")));
            }
        }
        if let Some(missing) = bound.iter().take(required).position(Option::is_none) {
            let name = names[missing];
            return Err(Error::type_error(format!("{function}() missing required argument '{name}'")));
        }
        Ok(bound)
    }

    /// As many arguments without names, none of which has a name.
    ///
    /// # Errors
    /// `TypeError` for another number.
    pub fn exactly<const N: usize>(self, function: &str) -> Result<[Value; N], Error> {
        if let Some((name, _)) = self.keywords.first() {
            return Err(Error::unsupported(format!("the argument `{name}` of `{function}`")));
        }
        let count = self.positional.len();
        <[Value; N]>::try_from(self.positional)
            .map_err(|_| Error::type_error(format!("{function}() takes {N} arguments ({count} given)")))
    }

    /// As many arguments as there are names for, or fewer; none of them has a name.
    pub(crate) fn exactly_or_none<const N: usize>(self, function: &str) -> Result<[Option<Value>; N], Error> {
        if let Some((name, _)) = self.keywords.first() {
            return Err(Error::unsupported(format!("the argument `{name}` of `{function}`")));
        }
        self.bind(function, [""; N], 0)
    }
}
