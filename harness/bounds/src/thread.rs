//! A thread whose pieces of work are bounded, and what waits for it.

use crate::allocator::{Signals, enter};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// How many items may wait to be taken.
const WAITING: usize = 128;
/// How often the thread is looked at while nothing comes.
const PAUSE: Duration = Duration::from_millis(20);

/// What one piece of work may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes held at the same time, beyond what was there before.
    pub memory_bytes: usize,
    /// Time of a processor. That of a clock would pass while the process is stopped, too.
    pub time: Duration,
}

/// What a template may take for a text: the options `template_max_mib` and `template_max_s`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TextLimits {
    /// A text is shorter than so many MiB.
    pub max_mib: u64,
    /// Most seconds for it.
    pub max_s: u64,
}

impl Default for TextLimits {
    fn default() -> Self {
        TextLimits { max_mib: 16, max_s: 5 }
    }
}

impl TextLimits {
    /// The limits of the work that makes the text: while it does, it may hold four times the text's greatest length, or a little where
    /// that is short.
    pub fn work(self) -> Limits {
        let mib = usize::try_from(self.max_mib).unwrap_or(usize::MAX).saturating_mul(4).max(8);
        Limits { memory_bytes: mib.saturating_mul(1 << 20), time: Duration::from_secs(self.max_s) }
    }

    /// Refuses a text that is too long, in words: `a text of 17 MiB, more than 16`.
    ///
    /// # Errors
    /// Those words.
    pub fn check(self, text: &str) -> Result<(), String> {
        let mib = text.len() >> 20;
        if (mib as u64) < self.max_mib {
            Ok(())
        } else {
            Err(format!("a text of {mib} MiB, more than {}", self.max_mib))
        }
    }
}

/// A piece of work has reached a limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exceeded {
    /// The number that the work had given itself.
    pub number: u64,
    /// Which limit.
    pub what: What,
}

/// A limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// So many bytes.
    Memory(usize),
    /// So much time of a processor.
    Time(Duration),
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            What::Memory(bytes) => write!(f, "more than {} MiB of memory", bytes >> 20),
            What::Time(time) => write!(f, "more than {} seconds", time.as_secs_f64()),
        }
    }
}

#[derive(Default)]
struct Watch {
    signals: Signals,
    /// What the current piece of work may take.
    limits: Mutex<Option<Limits>>,
    /// The thread's time when the current piece of work began, in nanoseconds and at least 1; 0 where there is none.
    began: AtomicU64,
    number: AtomicU64,
}

/// What the thread bounds its work with.
pub struct Bounds {
    watch: Arc<Watch>,
    limits: Limits,
}

impl Bounds {
    /// A piece of work: within it, the thread may take what the limits say. `number` is for whoever is told that it took more.
    pub fn within<R>(&self, number: u64, work: impl FnOnce() -> R) -> R {
        self.within_limits(self.limits, number, work)
    }

    /// As [`Bounds::within`], with limits of its own.
    pub fn within_limits<R>(&self, limits: Limits, number: u64, work: impl FnOnce() -> R) -> R {
        *self.watch.limits.lock().unwrap_or_else(PoisonError::into_inner) = Some(limits);
        self.watch.number.store(number, Ordering::Relaxed);
        self.watch.began.store(time_of_this_thread().max(1), Ordering::Release);
        let guard = enter(&self.watch.signals, limits.memory_bytes);
        let result = work();
        drop(guard);
        self.watch.began.store(0, Ordering::Release);
        result
    }
}

/// What a thread sends that works within bounds.
pub struct Bounded<T> {
    items: Receiver<Item<T>>,
    watch: Arc<Watch>,
    thread: Option<JoinHandle<()>>,
}

enum Item<T> {
    Item(T),
    End,
}

impl<T: Send + 'static> Bounded<T> {
    /// Starts the thread. `work` does each of its pieces in [`Bounds::within`], and sends what it has made; it ends where sending
    /// returns `false`, because nobody takes it any more.
    pub fn spawn(limits: Limits, work: impl FnOnce(&Bounds, &dyn Fn(T) -> bool) + Send + 'static) -> Self {
        let (sender, items): (SyncSender<Item<T>>, _) = sync_channel(WAITING);
        let watch = Arc::new(Watch::default());
        let bounds = Bounds { watch: watch.clone(), limits };
        let thread = std::thread::spawn(move || {
            work(&bounds, &|item| sender.send(Item::Item(item)).is_ok());
            // Without it, the thread has not come to its end.
            let _ = sender.send(Item::End);
        });
        Bounded { items, watch, thread: Some(thread) }
    }

    /// Waits for the next item; none when the work is done. A panic of the thread is one of the caller.
    ///
    /// # Errors
    /// A limit is reached. The thread has stopped, and so it is for every later call.
    #[allow(clippy::should_implement_trait, reason = "the work may fail, and an iterator of results would go on")]
    pub fn next(&mut self) -> Result<Option<T>, Exceeded> {
        loop {
            match self.items.recv_timeout(PAUSE) {
                Ok(Item::Item(item)) => return Ok(Some(item)),
                Ok(Item::End) => return Ok(None),
                Err(RecvTimeoutError::Timeout) => self.look()?,
                Err(RecvTimeoutError::Disconnected) => match self.thread.take().map(JoinHandle::join) {
                    Some(Err(panic)) => std::panic::resume_unwind(panic),
                    _ => return Ok(None),
                },
            }
        }
    }

    fn look(&self) -> Result<(), Exceeded> {
        let exceeded = |what| Err(Exceeded { number: self.watch.number.load(Ordering::Relaxed), what });
        let signals = &self.watch.signals;
        let Some(limits) = *self.watch.limits.lock().unwrap_or_else(PoisonError::into_inner) else { return Ok(()) };
        if signals.abandoned.load(Ordering::Relaxed) {
            return exceeded(What::Time(limits.time));
        }
        if signals.took_too_much.load(Ordering::Acquire) {
            return exceeded(What::Memory(limits.memory_bytes));
        }
        let began = self.watch.began.load(Ordering::Acquire);
        let now = self.thread.as_ref().and_then(time_of).unwrap_or(began);
        if began != 0 && now.saturating_sub(began) > u64::try_from(limits.time.as_nanos()).unwrap_or(u64::MAX) {
            signals.abandoned.store(true, Ordering::Relaxed);
            return exceeded(What::Time(limits.time));
        }
        Ok(())
    }
}

/// Nanoseconds that a thread has computed for. None where it has ended.
#[cfg(target_os = "linux")]
fn time_of(thread: &JoinHandle<()>) -> Option<u64> {
    let mut clock = 0;
    let handle = std::os::unix::thread::JoinHandleExt::as_pthread_t(thread);
    // SAFETY: a thread that is neither joined nor detached has a valid handle, even where it has ended; the call writes into `clock` alone.
    let failed = unsafe { libc::pthread_getcpuclockid(handle, &raw mut clock) } != 0;
    (!failed).then(|| read_clock(clock)).flatten()
}

#[cfg(target_os = "linux")]
fn time_of_this_thread() -> u64 {
    read_clock(libc::CLOCK_THREAD_CPUTIME_ID).unwrap_or(0)
}

#[cfg(target_os = "linux")]
fn read_clock(clock: libc::clockid_t) -> Option<u64> {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the call writes into `time` alone.
    let failed = unsafe { libc::clock_gettime(clock, &raw mut time) } != 0;
    let seconds = u64::try_from(time.tv_sec).ok().filter(|_| !failed)?;
    Some(seconds * 1_000_000_000 + u64::try_from(time.tv_nsec).ok()?)
}

/// Elsewhere the time that has passed.
#[cfg(not(target_os = "linux"))]
fn time_of(_: &JoinHandle<()>) -> Option<u64> {
    Some(time_of_this_thread())
}

#[cfg(not(target_os = "linux"))]
fn time_of_this_thread() -> u64 {
    static BEGAN: std::sync::LazyLock<std::time::Instant> = std::sync::LazyLock::new(std::time::Instant::now);
    u64::try_from(BEGAN.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use std::hint::black_box;

    const LIMITS: Limits = Limits { memory_bytes: 8 << 20, time: Duration::from_millis(200) };

    /// What comes of pieces of work, by number.
    fn results(work: impl Fn(u64) -> usize + Send + 'static) -> (Vec<usize>, Option<Exceeded>) {
        let mut bounded = Bounded::spawn(LIMITS, move |bounds, send| {
            (0..5).all(|number| send(bounds.within(number, || work(number))));
        });
        let mut results = Vec::new();
        loop {
            match bounded.next() {
                Ok(Some(result)) => results.push(result),
                Ok(None) => return (results, None),
                Err(exceeded) => {
                    assert_eq!(bounded.next(), Err(exceeded.clone()));
                    return (results, Some(exceeded));
                }
            }
        }
    }

    fn block(bytes: usize) -> usize {
        black_box(vec![1_u8; bytes]).len()
    }

    #[test]
    fn a_piece_may_take_what_the_limits_say() {
        assert_eq!(results(|number| block((7 << 20) + number as usize)).0.len(), 5);
        // What is freed counts no more.
        assert_eq!(results(|_| (0..100).map(|_| block(1 << 20)).sum()), (vec![100 << 20; 5], None));
    }

    #[test]
    fn a_piece_that_takes_more_is_named() {
        let memory = |number| Some(Exceeded { number, what: What::Memory(8 << 20) });
        assert_eq!(results(|number| block(if number == 2 { 1 << 44 } else { 1 })), (vec![1, 1], memory(2)));
        let grow = |number| {
            let mut kept = Vec::new();
            (0..number * 1000).for_each(|_| kept.push(vec![1_u8; 4096]));
            black_box(&kept).len()
        };
        assert_eq!(results(grow), (vec![0, 1000, 2000], memory(3)));
        let text = String::from("a");
        let double = move |_| {
            let mut text = text.clone();
            (0..60).for_each(|_| text.push_str(&text.clone()));
            text.len()
        };
        assert_eq!(results(double), (vec![], memory(0)));
    }

    #[test]
    fn a_piece_that_computes_for_too_long_is_named() {
        let spin = |number| {
            if number == 3 {
                loop {
                    black_box(block(1000));
                }
            }
            0
        };
        assert_eq!(results(spin), (vec![0; 3], Some(Exceeded { number: 3, what: What::Time(LIMITS.time) })));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn waiting_takes_no_time_of_a_processor() {
        let wait = |_| {
            std::thread::sleep(2 * LIMITS.time);
            1
        };
        assert_eq!(results(wait), (vec![1; 5], None));
    }

    #[test]
    fn a_panic_is_no_end() {
        let ended = std::panic::catch_unwind(|| results(|number| if number == 1 { panic!("the work") } else { 0 }));
        assert_eq!(ended.unwrap_err().downcast_ref::<&str>(), Some(&"the work"));
    }

    #[test]
    fn work_that_nobody_takes_ends() {
        let (sender, ended) = std::sync::mpsc::channel();
        let mut bounded = Bounded::spawn(LIMITS, move |_, send| {
            while send(1) {}
            sender.send(()).unwrap();
        });
        assert_eq!(bounded.next(), Ok(Some(1)));
        drop(bounded);
        ended.recv_timeout(Duration::from_secs(60)).unwrap();
    }
}
