//! Handing out work to threads.

use rayon::prelude::*;

/// Does `count` tasks, each on whichever thread is free next: a thread that is held up keeps no more than one of them.
pub(super) fn for_each_task(count: usize, task: impl Fn(usize) + Sync + Send) {
    (0..count).into_par_iter().with_max_len(1).for_each(task);
}
