//! Memory that this process can still allocate. Large allocations are compared with it first, because most systems
//! grant more memory than they have and later kill the process.

use std::fs;

/// Bytes that the process can still allocate; `None` if no bound is known. On Linux, the minimum of:
///
/// | bound | from |
/// |---|---|
/// | memory that the machine can free | `MemAvailable` of `/proc/meminfo` |
/// | memory of the control group (containers) | `memory.max` less `memory.current`, plus inactive file cache |
/// | address space (`ulimit -v`) | `/proc/self/limits` less `VmSize` of `/proc/self/status` |
pub(crate) fn available() -> Option<u64> {
    [machine(), control_group(), address_space()].into_iter().flatten().min()
}

/// Whether `bytes` can be allocated; true if the system reports no bound.
pub(crate) fn has(bytes: u64) -> bool {
    available().is_none_or(|free| bytes <= free)
}

fn machine() -> Option<u64> {
    kilobytes(&fs::read_to_string("/proc/meminfo").ok()?, "MemAvailable:")
}

fn control_group() -> Option<u64> {
    let number = |name: &str| fs::read_to_string(format!("/sys/fs/cgroup/{name}")).ok()?.trim().parse::<u64>().ok();
    let (most, current) = (number("memory.max")?, number("memory.current")?);
    let cache = fs::read_to_string("/sys/fs/cgroup/memory.stat").ok().and_then(|text| entry(&text, "inactive_file"));
    Some(most.saturating_sub(current.saturating_sub(cache.unwrap_or(0))))
}

fn address_space() -> Option<u64> {
    let limit = entry(&fs::read_to_string("/proc/self/limits").ok()?, "Max address space")?;
    Some(limit.saturating_sub(kilobytes(&fs::read_to_string("/proc/self/status").ok()?, "VmSize:")?))
}

/// The number after a name at the start of a line.
fn entry(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(name))?.split_whitespace().next()?.parse().ok()
}

fn kilobytes(text: &str, name: &str) -> Option<u64> {
    entry(text, name).map(|number| number.saturating_mul(1024))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_the_system_are_read() {
        assert_eq!(kilobytes("MemFree: 1 kB\nMemAvailable:    12 kB\n", "MemAvailable:"), Some(12 * 1024));
        assert_eq!(
            entry("Max address space         2000000              unlimited   bytes\n", "Max address space"),
            Some(2_000_000)
        );
        assert_eq!(
            entry("Max address space         unlimited            unlimited   bytes\n", "Max address space"),
            None
        );
        assert!(has(1) && (!cfg!(target_os = "linux") || !has(u64::MAX)));
    }
}
