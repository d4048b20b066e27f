//! Who may read what, whether there is room, and how many files a server may have open.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::Finding;
use crate::config::Config;
use crate::server::certificate_files;
use crate::store::{Holder, database_path};

/// Less room than this is told of; with less than the second, it is late.
const ROOM_WARN: u64 = 1 << 30;
const ROOM_FAIL: u64 = 100 << 20;
/// Open files beside the connections: the database, listeners, certificates.
const FILES_BESIDE: u64 = 64;

pub fn all(config: &Config, running: Holder) -> Vec<Finding> {
    let mut findings = Vec::new();
    let dir = &config.server.data_dir;
    findings.push(private("key", &certificate_files(config).1, "600"));
    if dir.exists() {
        findings.push(private("data", dir, "700"));
        let database = database_path(dir);
        if database.exists() {
            findings.push(private("database", &database, "600"));
        }
        findings.push(room(dir));
    }
    findings.push(open_files(config, running));
    findings
}

fn private(check: &'static str, path: &Path, mode: &str) -> Finding {
    let shown = path.display();
    let rights = match fs::metadata(path) {
        Ok(metadata) => metadata.permissions().mode() & 0o777,
        Err(error) => return Finding::fail(check, format!("{shown}: {error}"), "run this as the user of the server"),
    };
    let advice = format!("chmod {mode} '{shown}'");
    if rights & 0o007 != 0 && path.is_dir() {
        // What lies in it is private by itself.
        Finding::warn(check, format!("everybody on this machine may look into {shown} (mode {rights:03o})"), advice)
    } else if rights & 0o007 != 0 {
        Finding::fail(check, format!("everybody on this machine may use {shown} (mode {rights:03o})"), advice)
    } else if rights & 0o070 != 0 {
        Finding::warn(
            check,
            format!("a group may use {shown} (mode {rights:03o})"),
            format!("{advice}, unless it is to be so"),
        )
    } else {
        Finding::ok(check, format!("{shown} is for its owner alone"))
    }
}

fn room(dir: &Path) -> Finding {
    const CHECK: &str = "disk";
    let disk = match rustix::fs::statvfs(dir) {
        Ok(disk) => disk,
        Err(error) => return Finding::warn(CHECK, format!("{}: {error}", dir.display()), "look with `df`"),
    };
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    let advice = format!("make room on the disk of {}; [history] retention lets old messages go", dir.display());
    let found = format!("{} MiB are free where the database is", free >> 20);
    if disk.f_files > 0 && disk.f_favail == 0 {
        Finding::fail(CHECK, "no more files can be made where the database is (no inodes)", advice)
    } else if free < ROOM_FAIL {
        Finding::fail(CHECK, found, advice)
    } else if free < ROOM_WARN {
        Finding::warn(CHECK, found, advice)
    } else {
        Finding::ok(CHECK, found)
    }
}

fn open_files(config: &Config, running: Holder) -> Finding {
    const CHECK: &str = "open files";
    let (path, whose) = match running {
        Holder::Process(Some(pid)) => (format!("/proc/{pid}/limits"), "the server"),
        Holder::Process(None) => {
            return Finding::warn(CHECK, "the server's process is not known", "look at /proc/PID/limits");
        }
        Holder::Nobody => ("/proc/self/limits".to_owned(), "a program started like this one"),
    };
    let Some(limit) = fs::read_to_string(&path).ok().as_deref().and_then(soft_limit) else {
        return Finding::warn(
            CHECK,
            format!("{path} cannot be read"),
            "run this as the user of the server, or as root",
        );
    };
    let wanted = config.server.max_connections as u64 + FILES_BESIDE;
    if limit >= wanted {
        return Finding::ok(CHECK, format!("{whose} may have {limit}; {wanted} are enough"));
    }
    Finding::warn(
        CHECK,
        format!("{whose} may have {limit}, and [server] max_connections wants {wanted}"),
        format!("LimitNOFILE={wanted} in the unit (systemctl edit chatd), or `ulimit -n {wanted}` before the start"),
    )
}

/// Of the lines of proc_pid_limits(5).
fn soft_limit(limits: &str) -> Option<u64> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    match line.split_whitespace().next()? {
        "unlimited" => Some(u64::MAX),
        number => number.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_read() {
        let limits = "Limit                     Soft Limit           Hard Limit           Units     \n\
                      Max processes             1                    2                    processes \n\
                      Max open files            1024                 524288               files     \n";
        assert_eq!(soft_limit(limits), Some(1024));
        assert_eq!(
            soft_limit("Max open files            unlimited            unlimited            files"),
            Some(u64::MAX)
        );
        assert_eq!(soft_limit(""), None);
        assert!(soft_limit(&fs::read_to_string("/proc/self/limits").unwrap()).is_some());
    }
}
