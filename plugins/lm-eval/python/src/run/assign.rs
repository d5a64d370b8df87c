//! Assignments.

use super::{Frame, Session};
use crate::error::{Error, Outcome};
use crate::program::ir::{Binary, Expr, Place, Target};
use crate::value::{Str, Value};

impl Session {
    pub(super) fn bind(&mut self, frame: &mut Frame, place: Place, value: Value) -> Outcome<()> {
        match place {
            Place::Slot(index) => frame.slots[index] = Some(value),
            Place::Cell(index) => *frame.cells[index].borrow_mut() = Some(value),
            Place::Free(index) => *frame.free[index].borrow_mut() = Some(value),
            Place::Global(index) => self.set_global(frame.module, index, Some(value))?,
            Place::Class(index) => {
                let name = self.global_name(frame.module, index);
                if let Some(class) = &mut frame.class {
                    class.insert_str(name, value);
                }
            }
        }
        Ok(())
    }

    /// Binds a name of a module. While no statement of the module runs, a function does it.
    fn set_global(&mut self, module: usize, global: usize, value: Option<Value>) -> Outcome<()> {
        if self.modules[module].running.is_none() && !self.modules[module].ready[global] {
            self.global(module, global).map(|_| ()).or_else(|error| match error {
                Error::Exception(_) => Ok(()),
                other => Err(other),
            })?;
        }
        let loaded = &mut self.modules[module];
        loaded.globals[global] = value;
        Ok(())
    }

    pub(super) fn global_name(&self, module: usize, global: usize) -> Str {
        self.modules[module].module.globals.get_index(global).cloned().unwrap_or_else(|| Str::from(""))
    }

    pub(super) fn unbind(&mut self, frame: &mut Frame, place: Place) {
        match place {
            Place::Slot(index) => frame.slots[index] = None,
            Place::Cell(index) => *frame.cells[index].borrow_mut() = None,
            Place::Free(index) => *frame.free[index].borrow_mut() = None,
            Place::Global(index) => self.modules[frame.module].globals[index] = None,
            Place::Class(_) => {}
        }
    }

    pub(super) fn assign(&mut self, frame: &mut Frame, target: &Target, value: Value) -> Outcome<()> {
        match target {
            Target::Name(Place::Slot(index)) => {
                frame.slots[*index] = Some(value);
                Ok(())
            }
            Target::Name(place) => self.bind(frame, *place, value),
            Target::Attribute(object, name) => {
                let object = self.expr(frame, object)?;
                self.set_attribute(&object, name, value)
            }
            Target::Subscript(parts) => {
                let object = self.expr(frame, &parts.0)?;
                let index = self.expr(frame, &parts.1)?;
                self.set_item(&object, index, value)
            }
            Target::Unpack(targets, starred) => self.unpack(frame, targets, *starred, &value),
        }
    }

    fn unpack(&mut self, frame: &mut Frame, targets: &[Target], starred: Option<usize>, value: &Value) -> Outcome<()> {
        if matches!(value, Value::None | Value::Bool(_) | Value::Int(_) | Value::Float(_)) {
            let text = format!("cannot unpack non-iterable {} object", value.type_name());
            return Err(Error::raise("TypeError", text));
        }
        let items = match starred {
            Some(_) => self.collect(value)?,
            None => {
                // Python takes one more than it needs, and no further.
                let mut cursor = self.iterate(value)?;
                let mut items = Vec::new();
                while items.len() <= targets.len() {
                    match cursor.next(self)? {
                        Some(item) => items.push(item),
                        None => break,
                    }
                }
                items
            }
        };
        let (wanted, found) = (targets.len(), items.len());
        let Some(star) = starred else {
            if found > wanted {
                return Err(Error::raise("ValueError", format!("too many values to unpack (expected {wanted})")));
            }
            if found < wanted {
                let text = format!("not enough values to unpack (expected {wanted}, got {found})");
                return Err(Error::raise("ValueError", text));
            }
            for (target, item) in targets.iter().zip(items) {
                self.assign(frame, target, item)?;
            }
            return Ok(());
        };
        if found + 1 < wanted {
            let text = format!("not enough values to unpack (expected at least {}, got {found})", wanted - 1);
            return Err(Error::raise("ValueError", text));
        }
        let after = wanted - star - 1;
        for (index, target) in targets.iter().enumerate() {
            let value = if index < star {
                items[index].clone()
            } else if index == star {
                Value::list(items[star..found - after].to_vec())
            } else {
                items[found - (wanted - index)].clone()
            };
            self.assign(frame, target, value)?;
        }
        Ok(())
    }

    /// `target op= value`: lists, sets and dictionaries change in place.
    pub(super) fn augment(
        &mut self,
        frame: &mut Frame,
        target: &Target,
        operator: Binary,
        value: &Expr,
    ) -> Outcome<()> {
        match target {
            Target::Name(place) => {
                let old = self.name(frame, *place)?;
                let value = self.expr(frame, value)?;
                // The variable lets go of its text, which can then grow without a copy.
                let new = self.in_place(operator, old, value)?;
                self.bind(frame, *place, new)
            }
            Target::Attribute(object, name) => {
                let object = self.expr(frame, object)?;
                let old = self.attribute(&object, name)?;
                let value = self.expr(frame, value)?;
                let new = self.in_place(operator, old, value)?;
                self.set_attribute(&object, name, new)
            }
            Target::Subscript(parts) => {
                let object = self.expr(frame, &parts.0)?;
                let index = self.expr(frame, &parts.1)?;
                let old = self.item(&object, &index)?;
                let value = self.expr(frame, value)?;
                let new = self.in_place(operator, old, value)?;
                self.set_item(&object, index, new)
            }
            Target::Unpack(..) => Err(Error::unsupported("an augmented assignment to several targets")),
        }
    }

    fn in_place(&mut self, operator: Binary, old: Value, value: Value) -> Outcome<Value> {
        match (&old, operator) {
            (Value::List(list), Binary::Add) => {
                let more = self.collect(&value)?;
                list.borrow_mut().extend(more);
                Ok(old)
            }
            (Value::List(list), Binary::Multiply) => {
                let repeated = super::binary(self, operator, &old, &value)?;
                if let Value::List(repeated) = repeated {
                    let items = repeated.take();
                    *list.borrow_mut() = items;
                }
                Ok(old)
            }
            (Value::Set(_), Binary::Or | Binary::And | Binary::Subtract | Binary::Xor) => {
                let new = super::binary(self, operator, &old, &value)?;
                if let (Value::Set(old), Value::Set(new)) = (&old, new) {
                    let members = new.take();
                    *old.borrow_mut() = members;
                }
                Ok(old)
            }
            (Value::Dict(dict), Binary::Or) => {
                let entries = self.entries(&value)?;
                for (key, value) in entries {
                    dict.borrow_mut().insert(key, value)?;
                }
                Ok(old)
            }
            (Value::Dict(dict), _) if dict.borrow().kind.type_name() == "Counter" => {
                Err(Error::unsupported(format!("`{}=` of a `Counter`", operator.sign())))
            }
            _ => super::binary(self, operator, &old, &value),
        }
    }

    pub(super) fn delete(&mut self, frame: &mut Frame, target: &Target) -> Outcome<()> {
        match target {
            Target::Name(place) => {
                self.name(frame, *place)?;
                self.unbind(frame, *place);
                Ok(())
            }
            Target::Subscript(parts) => {
                let object = self.expr(frame, &parts.0)?;
                let index = self.expr(frame, &parts.1)?;
                self.delete_item(&object, &index)
            }
            Target::Attribute(..) => Err(Error::unsupported("`del` of an attribute")),
            Target::Unpack(targets, _) => targets.iter().try_for_each(|target| self.delete(frame, target)),
        }
    }
}
