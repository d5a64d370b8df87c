//! How much memory a process holds, and how much it may.

use std::path::{Path, PathBuf};

/// What this process holds of its own, without files that are mapped: 0 if it is not known.
pub(super) fn held_kib() -> u64 {
    let Ok(status) = std::fs::read_to_string("/proc/self/status") else { return 0 };
    match (kib(&status, "RssAnon:"), kib(&status, "RssShmem:")) {
        (Some(own), shared) => own + shared.unwrap_or(0),
        // Kernels before 4.5 do not tell them apart.
        (None, _) => kib(&status, "VmRSS:").unwrap_or(0),
    }
}

/// What a worker may hold where the suite does not say it: nine tenths of what the machine, or the container that the program runs
/// in, has. So a leak ends its worker, with its name, before the kernel ends whatever it likes. None if it is not known.
pub(super) fn default_mib() -> Option<u64> {
    let machine = std::fs::read_to_string("/proc/meminfo").ok().and_then(|text| kib(&text, "MemTotal:"));
    let groups = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let limit = limit_kib(&groups, Path::new("/sys/fs/cgroup"));
    machine.into_iter().chain(limit).min().map(|kib| kib / 1024 * 9 / 10)
}

/// The value of a line such as `MemTotal:  1024 kB`.
fn kib(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

/// The least limit of the control groups that `/proc/self/cgroup` names, and of those around them.
fn limit_kib(groups: &str, mounted: &Path) -> Option<u64> {
    let limits = groups.lines().flat_map(|line| {
        let mut parts = line.splitn(3, ':').skip(1);
        let (controllers, group) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let (root, file) = match controllers {
            "" => (mounted.to_owned(), "memory.max"),
            _ if controllers.split(',').any(|name| name == "memory") => {
                (mounted.join("memory"), "memory.limit_in_bytes")
            }
            _ => return Vec::new(),
        };
        let group: PathBuf = root.join(group.trim_start_matches('/'));
        // Within a container its own group may be the root of what is mounted.
        let around = group.ancestors().take_while(|path| path.starts_with(&root)).map(|path| path.join(file));
        around.filter_map(|path| std::fs::read_to_string(path).ok()?.trim().parse::<u64>().ok()).collect()
    });
    limits.min().map(|bytes| bytes / 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_holds_something_and_may_hold_more() {
        if cfg!(target_os = "linux") {
            let (held, allowed) = (held_kib(), default_mib().unwrap());
            assert!(held > 0 && held / 1024 < allowed, "{held} KiB of {allowed} MiB");
        }
    }

    #[test]
    fn the_least_limit_of_a_group_and_those_around_it_counts() {
        let folder = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("a/memory.max", "1048576\n");
        write("a/b/memory.max", "max\n");
        write("memory/job/memory.limit_in_bytes", "4096\n");
        assert_eq!(limit_kib("0::/a/b\n", folder.path()), Some(1024));
        assert_eq!(limit_kib("0::/../elsewhere\n", folder.path()), None);
        assert_eq!(limit_kib("3:cpu,cpuacct:/job\n5:memory:/job\n", folder.path()), Some(4));
        assert_eq!(limit_kib("0::/\n", folder.path()), None);
    }
}
