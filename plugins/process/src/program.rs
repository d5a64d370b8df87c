//! A program that runs, and why it is ended before it ends itself.

use crate::input::Input;
use crate::options::Limits;
use crate::silence::Silence;
use crate::stderr::LastLine;
use parking_lot::Mutex;
use std::process::Child;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// A program that runs, as all threads around it see it.
pub(crate) struct Program {
    pub(crate) input: Input,
    pub(crate) silence: Silence,
    pub(crate) last_line: LastLine,
    pub(crate) child: Mutex<Child>,
    fault: Mutex<Option<Fault>>,
    is_called: AtomicBool,
}

/// Why a program was ended.
#[derive(Debug, Clone)]
pub(crate) enum Fault {
    /// It sent a line that is none of the protocol, or not now.
    Breach(String),
    /// It sent a line that is longer than all that is read.
    LongLine,
    /// It sent nothing for so long.
    Silent(Duration),
    /// The user wants to stop.
    Cancelled,
}

impl Program {
    pub(crate) fn new(mut child: Child, limits: Limits) -> Self {
        Program {
            input: Input::new(child.stdin.take()),
            silence: Silence::new(limits),
            last_line: LastLine::default(),
            child: Mutex::new(child),
            fault: Mutex::new(None),
            is_called: AtomicBool::new(false),
        }
    }

    /// Ends the program. The first reason is kept.
    pub(crate) fn end_because(&self, fault: Fault) {
        self.fault.lock().get_or_insert(fault);
        // One that has ended already cannot be killed.
        let _ = self.child.lock().kill();
    }

    /// Why it was ended, if it was.
    pub(crate) fn fault(&self) -> Option<Fault> {
        self.fault.lock().clone()
    }

    /// Does something for which the program works: from now on silence and interruptions count.
    pub(crate) fn while_called<T>(&self, work: impl FnOnce() -> T) -> T {
        self.is_called.store(true, Ordering::SeqCst);
        let result = work();
        self.is_called.store(false, Ordering::SeqCst);
        result
    }

    /// Whether a call waits for it.
    pub(crate) fn is_called(&self) -> bool {
        self.is_called.load(Ordering::SeqCst)
    }
}
