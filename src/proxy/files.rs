//! Whether this process may open as many files as its config lets people in: every connection is
//! one, and what lies behind it another.

use std::fs;

use tracing::warn;

use crate::config::Config;

/// What the doors, the log, and whoever is asked about sessions and credentials take besides.
const BESIDES: u64 = 500;

/// Says so where it may not.
pub(super) fn look(config: &Config) {
    let (connections, sockets) = (config.listen.connections, config.limits.sockets);
    let needed = connections as u64 + sockets as u64 + BESIDES;
    // Where there is no such file nobody knows.
    let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
    if let Some(files) = most(&limits).filter(|files| *files < needed) {
        warn!(
            files,
            needed,
            "this process may open fewer files than `listen.connections` and `limits.sockets` need; \
             raise its limit (`ulimit -n`, LimitNOFILE), or lower them"
        );
    }
}

/// How many files may be open, as the kernel writes it; `None` where there is no limit.
fn most(limits: &str) -> Option<u64> {
    let mut lines = limits.lines();
    let counts = lines.find_map(|line| line.strip_prefix("Max open files"))?;
    counts.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_soft_limit_counts() {
        let text = "Limit                     Soft Limit           Hard Limit           Units     \n\
                    Max processes             7777                 7778                 processes \n\
                    Max open files            1024                 524288               files     \n";
        assert_eq!(most(text), Some(1024));
        assert_eq!(most(&text.replace("1024  ", "unlimited")), None);
        assert_eq!(most(""), None);
        let own = fs::read_to_string("/proc/self/limits").unwrap();
        assert!(own.contains("Max open files"), "{own}");
    }
}
