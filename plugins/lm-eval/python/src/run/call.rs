//! Calls.

use std::rc::Rc;
use std::sync::Arc;

use super::{CellRef, Flow, Frame, Function, Session};
use crate::error::{Error, Outcome};
use crate::natives::Arguments;
use crate::program::ir::Place;
use crate::value::{Dict, Str, Value};

impl Session {
    /// Calls a value, within the budget of the call that runs.
    pub(crate) fn invoke(&mut self, function: &Value, args: Arguments) -> Outcome<Value> {
        self.step()?;
        match function {
            Value::Function(function) => {
                let function = Rc::clone(function);
                self.deeper(|session| session.call_function(&function, args))
            }
            Value::Native(_, native) => self.deeper(|session| native(session, args)),
            Value::Hook(hook) => hook.call(self, args),
            Value::Method(method) => crate::types::call_method(self, &method.0, &method.1, args),
            Value::Bound(bound) => {
                let mut args = args;
                args.positional.insert(0, bound.0.clone());
                self.invoke(&bound.1, args)
            }
            Value::Partial(partial) => {
                let mut positional = partial.args.clone();
                positional.extend(args.positional);
                let mut keywords = partial.keywords.clone();
                for (name, value) in args.keywords {
                    match keywords.iter_mut().find(|(known, _)| *known == name) {
                        Some((_, known)) => *known = value,
                        None => keywords.push((name, value)),
                    }
                }
                self.invoke(&partial.function, Arguments { positional, keywords })
            }
            Value::Type(name) => crate::types::construct(self, name, args),
            Value::ExceptionType(name) => crate::run::class::builtin_exception(name, args),
            Value::Class(class) => self.deeper(|session| crate::run::class::instantiate(session, class, args)),
            Value::Instance(instance) => match instance.class.find("__call__") {
                Some(method) => {
                    let mut args = args;
                    args.positional.insert(0, function.clone());
                    self.invoke(&method, args)
                }
                None => Err(not_callable(function)),
            },
            Value::Object(object) => Rc::clone(object).call(self, args),
            other => Err(not_callable(other)),
        }
    }

    fn call_function(&mut self, function: &Rc<Function>, args: Arguments) -> Outcome<Value> {
        let code = Arc::clone(&function.code);
        let mut frame = Frame {
            module: function.module,
            slots: vec![None; code.slots.len()],
            cells: code.cells.iter().map(|_| CellRef::default()).collect(),
            free: Rc::clone(&function.free),
            code: Some(Arc::clone(&code)),
            class: None,
            handled: Vec::new(),
            method: None,
        };
        if let (Some(owner), Some(first)) = (&*function.owner.borrow(), args.positional.first()) {
            frame.method = Some((Rc::clone(owner), first.clone()));
        }
        bind_arguments(&mut frame, function, args)?;
        match self.stmts(&mut frame, &code.body)? {
            Flow::Return(value) => Ok(value),
            _ => Ok(Value::None),
        }
    }
}

fn not_callable(value: &Value) -> Error {
    Error::raise("TypeError", format!("'{}' object is not callable", value.type_name()))
}

fn put(frame: &mut Frame, place: Place, value: Value) {
    match place {
        Place::Slot(index) => frame.slots[index] = Some(value),
        Place::Cell(index) => *frame.cells[index].borrow_mut() = Some(value),
        // Parameters are variables of the function itself.
        Place::Free(_) | Place::Global(_) | Place::Class(_) => {}
    }
}

fn bind_arguments(frame: &mut Frame, function: &Function, args: Arguments) -> Outcome<()> {
    let code = &function.code;
    let name = &code.name;
    let mut given = vec![false; code.parameters.len()];
    let count = args.positional.len();
    let mut positional = args.positional.into_iter();
    for (index, value) in positional.by_ref().take(code.positional).enumerate() {
        put(frame, code.parameters[index].place, value);
        given[index] = true;
    }
    let more: Vec<Value> = positional.collect();
    match code.rest {
        Some(place) => put(frame, place, Value::tuple(more)),
        None if !more.is_empty() => {
            let wanted = code.positional;
            let text = format!("{name}() takes {wanted} positional arguments but {count} were given");
            return Err(Error::type_error(text));
        }
        None => {}
    }
    let mut unknown: Vec<(Str, Value)> = Vec::new();
    for (key, value) in args.keywords {
        let known = code.parameters.iter().position(|parameter| parameter.name == key);
        match known.filter(|index| *index >= code.positional_only) {
            Some(index) if given[index] => {
                return Err(Error::raise("TypeError", format!("{name}() got multiple values for argument '{key}'")));
            }
            Some(index) => {
                put(frame, code.parameters[index].place, value);
                given[index] = true;
            }
            None if code.named_rest.is_some() => unknown.push((key, value)),
            None => {
                let text = format!("{name}() got an unexpected keyword argument '{key}'");
                return Err(Error::raise("TypeError", text));
            }
        }
    }
    if let Some(place) = code.named_rest {
        let mut dict = Dict::new();
        for (key, value) in unknown {
            dict.insert_str(key, value);
        }
        put(frame, place, Value::Dict(Rc::new(std::cell::RefCell::new(dict))));
    }
    for (index, parameter) in code.parameters.iter().enumerate() {
        if given[index] {
            continue;
        }
        match &function.defaults[index] {
            Some(default) => put(frame, parameter.place, default.clone()),
            None => {
                let text = format!("{name}() missing a required argument: '{}'", parameter.name);
                return Err(Error::type_error(text));
            }
        }
    }
    Ok(())
}
