//! The one list of keys: reads each, and checks what a type alone cannot know.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use super::source::Source;
use super::value::{Bytes, Listen, OrOff, Retention};
use super::{Acme, Auth, Config, History, Limits, Log, Messages, Metrics, Rooms, Server, Tls, Web};

/// Half a screen of text is a message of the day; this is a generous bound on what every login is sent.
const MOTD_MAX_BYTES: usize = 32 * 1024;
/// Far more than anyone needs: a larger number is a slip.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);

pub(super) fn read(source: &mut Source) -> Config {
    let defaults = Config::default();
    Config {
        server: server(source, defaults.server),
        tls: tls(source, defaults.tls),
        rooms: rooms(source, defaults.rooms),
        history: history(source, defaults.history),
        messages: messages(source, defaults.messages),
        limits: limits(source, defaults.limits),
        auth: auth(source, defaults.auth),
        web: web(source, defaults.web),
        metrics: metrics(source, defaults.metrics),
        log: log(source, defaults.log),
    }
}

fn server(source: &mut Source, defaults: Server) -> Server {
    const T: &str = "server";
    let name = source.get(T, "name", defaults.name, |name| host_like(name));
    let network = source.get(T, "network", defaults.network, |network| {
        let fit = (1..=32).contains(&network.len()) && network.chars().all(|c| c.is_ascii_graphic() && c != '=');
        fit.then_some(()).ok_or_else(|| {
            format!("{network:?} is not fit; write one word of 1 to 32 ASCII letters, digits or signs other than \"=\"")
        })
    });
    let listen = source.get(T, "listen", defaults.listen, |listen| {
        if listen.is_empty() {
            return Err("is empty; write at least one address, such as [\"0.0.0.0:6697\"]".into());
        }
        let twice = listen.iter().enumerate().find(|(i, a)| a.port() != 0 && listen[..*i].contains(a));
        twice.map_or(Ok(()), |(_, address)| Err(format!("names {address} twice; write each address once")))
    });
    let data_dir = path(source, T, "data_dir", defaults.data_dir);
    let presence_grace = source.get(T, "presence_grace", defaults.presence_grace, |span| {
        if *span <= Duration::from_secs(3600) { Ok(()) } else { Err("is too long; write at most \"1h\"".into()) }
    });
    let mut motd = source.get(T, "motd", defaults.motd, |text| motd_fit(text));
    let motd_file = source.get(T, "motd_file", PathBuf::new(), |_| Ok(()));
    let motd_file = (!motd_file.as_os_str().is_empty()).then(|| source.resolve(&motd_file));
    if let Some(file) = &motd_file {
        if !motd.is_empty() {
            source.fault(T, "motd_file", "is set beside `motd`; keep one of the two".into());
        }
        let text = std::fs::read_to_string(file).map_err(|error| {
            format!("{} cannot be read ({error}); write the path of a UTF-8 text file", file.display())
        });
        match text.and_then(|text| motd_fit(&text).map(|()| text)) {
            Ok(text) => motd = text,
            Err(what) => source.fault(T, "motd_file", what),
        }
    }
    let icon = source.get(T, "icon", defaults.icon, |icon| {
        let web = icon.starts_with("https://") || icon.starts_with("http://");
        let fit = icon.is_empty() || (web && icon.len() <= 200 && icon.chars().all(|c| c.is_ascii_graphic()));
        fit.then_some(()).ok_or_else(|| {
            "is not fit; write the address of a picture, such as \"https://example.org/icon.svg\", at most 200 bytes".into()
        })
    });
    let admin_contact = source.get(T, "admin_contact", defaults.admin_contact, |text| {
        let fit = text.len() <= 200 && !text.contains(char::is_control);
        fit.then_some(()).ok_or_else(|| "is not fit; write one line of at most 200 bytes".into())
    });
    let max_connections = source.get(T, "max_connections", defaults.max_connections, within(1..=1_000_000));
    let proxy_protocol_from = source.get(T, "proxy_protocol_from", defaults.proxy_protocol_from, |_| Ok(()));
    Server {
        name,
        network,
        listen,
        data_dir,
        presence_grace,
        motd,
        motd_file,
        icon,
        admin_contact,
        max_connections,
        proxy_protocol_from,
    }
}

fn tls(source: &mut Source, defaults: Tls) -> Tls {
    const T: &str = "tls";
    Tls {
        cert: path(source, T, "cert", defaults.cert),
        key: path(source, T, "key", defaults.key),
        handshake_timeout: span(source, T, "handshake_timeout", defaults.handshake_timeout),
        sts: sts(source, defaults.sts),
        acme: acme(source, defaults.acme),
    }
}

fn sts(source: &mut Source, default: Option<Duration>) -> Option<Duration> {
    let OrOff(told) = source.get("tls", "sts", OrOff(default), |told| match told.0 {
        Some(span) if span > 2 * LONGEST => Err("is too long; write at most \"730days\"".into()),
        _ => Ok(()),
    });
    told
}

fn acme(source: &mut Source, defaults: Acme) -> Acme {
    const T: &str = "tls.acme";
    let domains = source.get(T, "domains", defaults.domains, |names| {
        let public = |name: &String| match host_like(name) {
            Ok(()) if name.contains('.') && name.parse::<std::net::IpAddr>().is_err() => Ok(()),
            _ => {
                Err(format!("{name:?} is no name for an authority to look up; write one such as \"chat.example.org\""))
            }
        };
        names.iter().try_for_each(public)
    });
    let contact = source.get(T, "contact", defaults.contact, |contact| {
        let fit = contact.contains('@') && contact.chars().all(|c| c.is_ascii_graphic() && c != ':');
        let fit = contact.is_empty() || (contact.len() <= 200 && fit);
        fit.then_some(()).ok_or_else(|| "is not fit; write a mail address, or \"\" for none".into())
    });
    let directory = source.get(T, "directory", defaults.directory, |url| {
        let fit = url.starts_with("https://") && url.chars().all(|c| c.is_ascii_graphic());
        fit.then_some(()).ok_or_else(|| "is not fit; write the https:// address of an authority's directory".into())
    });
    let ca_file = source.get(T, "ca_file", PathBuf::new(), |_| Ok(()));
    let ca_file = (!ca_file.as_os_str().is_empty()).then(|| source.resolve(&ca_file));
    Acme { domains, contact, directory, ca_file }
}

fn rooms(source: &mut Source, defaults: Rooms) -> Rooms {
    const T: &str = "rooms";
    let auto_join = source.get(T, "auto_join", defaults.auto_join, |rooms| rooms.iter().try_for_each(|r| room(r)));
    Rooms { auto_join, creation: source.get(T, "creation", defaults.creation, |_| Ok(())) }
}

fn history(source: &mut Source, defaults: History) -> History {
    const T: &str = "history";
    let replay_lines = source.get(T, "replay_lines", defaults.replay_lines, within(0..=10_000));
    let missed_lines = source.get(T, "missed_lines", defaults.missed_lines, within(0..=10_000));
    let page_lines = source.get(T, "page_lines", defaults.page_lines, within(1..=10_000));
    let mut term = |key, default| {
        let Retention(term) = source.get(T, key, Retention(default), |kept| match kept.0 {
            Some(span) if span < Duration::from_secs(60) => {
                Err("is too short; write at least \"1m\", or \"forever\"".into())
            }
            _ => Ok(()),
        });
        term
    };
    let retention = term("retention", defaults.retention);
    let presence_retention = term("presence_retention", defaults.presence_retention);
    let Bytes(tail_memory) = source.get(T, "tail_memory", Bytes(defaults.tail_memory), |size| {
        if (1 << 20..=1 << 40).contains(&size.0) {
            Ok(())
        } else {
            Err("is out of range; write \"1MiB\" to \"1024GiB\"".into())
        }
    });
    History { replay_lines, missed_lines, page_lines, retention, presence_retention, tail_memory }
}

fn messages(source: &mut Source, defaults: Messages) -> Messages {
    const T: &str = "messages";
    let client_tag_deny = source.get(T, "client_tag_deny", defaults.client_tag_deny, |words| {
        crate::proto::tags::TagFilter::parse(words).map(|_| ())
    });
    let window = Retention(defaults.redaction_window);
    let Retention(redaction_window) = source.get(T, "redaction_window", window, |_| Ok(()));
    Messages { client_tag_deny, redaction_window }
}

fn limits(source: &mut Source, defaults: Limits) -> Limits {
    const T: &str = "limits";
    Limits {
        messages_per_second: source.get(T, "messages_per_second", defaults.messages_per_second, within(1..=10_000_000)),
        message_burst: source.get(T, "message_burst", defaults.message_burst, within(1..=10_000_000)),
        connections_per_ip: source.get(T, "connections_per_ip", defaults.connections_per_ip, within(1..=1_000_000)),
        connects_per_minute: source.get(T, "connects_per_minute", defaults.connects_per_minute, within(1..=10_000_000)),
        logins_per_minute: source.get(T, "logins_per_minute", defaults.logins_per_minute, within(1..=10_000_000)),
        registrations_per_hour: source.get(
            T,
            "registrations_per_hour",
            defaults.registrations_per_hour,
            within(1..=1_000_000),
        ),
        registration_timeout: span(source, T, "registration_timeout", defaults.registration_timeout),
        ping_interval: span(source, T, "ping_interval", defaults.ping_interval),
        ping_timeout: span(source, T, "ping_timeout", defaults.ping_timeout),
        write_deadline: span(source, T, "write_deadline", defaults.write_deadline),
        rooms_per_account: source.get(T, "rooms_per_account", defaults.rooms_per_account, within(1..=100_000)),
        flood_delay_max: span(source, T, "flood_delay_max", defaults.flood_delay_max),
    }
}

fn auth(source: &mut Source, defaults: Auth) -> Auth {
    const T: &str = "auth";
    let parallelism = source.get(T, "argon2_parallelism", defaults.argon2_parallelism, within(1..=64));
    // Below 8 KiB a lane the function is not defined.
    let least = 8 * parallelism;
    let memory = source.get(T, "argon2_memory_kib", defaults.argon2_memory_kib, within(least..=4 << 20));
    let iterations = source.get(T, "argon2_iterations", defaults.argon2_iterations, within(1..=1_000));
    let concurrent = match source.get(T, "concurrent_hashes", 0, within(0..=1_024)) {
        0 => defaults.concurrent_hashes,
        number => number,
    };
    Auth {
        argon2_memory_kib: memory,
        argon2_iterations: iterations,
        argon2_parallelism: parallelism,
        concurrent_hashes: concurrent,
        registration: source.get(T, "registration", defaults.registration, |_| Ok(())),
    }
}

fn web(source: &mut Source, defaults: Web) -> Web {
    const T: &str = "web";
    Web {
        enabled: source.get(T, "enabled", defaults.enabled, |_| Ok(())),
        origins: source.get(T, "origins", defaults.origins, |origins| origins.iter().try_for_each(|one| origin(one))),
        hsts: source.get(T, "hsts", defaults.hsts, |span| {
            (*span <= 2 * LONGEST).then_some(()).ok_or_else(|| "is too long; write at most \"730days\"".into())
        }),
    }
}

fn metrics(source: &mut Source, defaults: Metrics) -> Metrics {
    let Listen(listen) = source.get("metrics", "listen", Listen(defaults.listen), |listen| match listen.0 {
        Some(address) if !address.ip().is_loopback() => Err(format!(
            "{address} can be reached from other machines, and metrics are not encrypted; write a loopback address, \
             such as \"127.0.0.1:9697\", or \"\" for none"
        )),
        _ => Ok(()),
    });
    Metrics { listen }
}

fn log(source: &mut Source, defaults: Log) -> Log {
    let level = source.get("log", "level", defaults.level, |level| crate::logging::check_level(level));
    Log { level, format: source.get("log", "format", defaults.format, |_| Ok(())) }
}

fn path(source: &mut Source, table: &'static str, key: &'static str, default: PathBuf) -> PathBuf {
    let path = source.get(table, key, default, |path| {
        if path.as_os_str().is_empty() { Err("is empty; write a path".into()) } else { Ok(()) }
    });
    source.resolve(&path)
}

fn span(source: &mut Source, table: &'static str, key: &'static str, default: Duration) -> Duration {
    source.get(table, key, default, |span| {
        let fit = (Duration::from_millis(1)..=LONGEST).contains(span);
        fit.then_some(()).ok_or_else(|| "is out of range; write more than nothing and at most \"365days\"".into())
    })
}

fn within<T: PartialOrd + std::fmt::Display + Copy>(range: RangeInclusive<T>) -> impl FnOnce(&T) -> Result<(), String> {
    move |number| {
        let fit = range.contains(number);
        fit.then_some(()).ok_or_else(|| {
            format!("{number} is out of range; write a number from {} to {}", range.start(), range.end())
        })
    }
}

fn host_like(name: &str) -> Result<(), String> {
    let label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
    };
    let fit = name.len() <= 63 && name.split('.').all(label);
    fit.then_some(()).ok_or_else(|| {
        format!("{name:?} is not a host name; write letters, digits, \"-\" and \".\", such as \"chat.example.org\"")
    })
}

fn room(name: &str) -> Result<(), String> {
    let named = name.strip_prefix('#').is_some_and(|rest| !rest.is_empty());
    let fit = named && !name.chars().any(|c| c.is_whitespace() || c.is_control() || c == ',');
    fit.then_some(())
        .ok_or_else(|| format!("{name:?} is not a room; write \"#\" and a name without blanks, such as \"#lobby\""))
}

/// As a browser says where a page comes from.
fn origin(origin: &str) -> Result<(), String> {
    let host = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
    let fit = host.is_some_and(|host| {
        let is_fit = |c: char| c.is_ascii_alphanumeric() || ".-:[]".contains(c);
        (1..=255).contains(&host.len()) && host.chars().all(is_fit)
    });
    fit.then_some(()).ok_or_else(|| {
        format!(
            "{origin:?} is not where a page comes from; write the beginning of its address without a path, such as \
             \"https://chat.example.org\""
        )
    })
}

fn motd_fit(text: &str) -> Result<(), String> {
    let clean = !text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t'));
    let fit = text.len() <= MOTD_MAX_BYTES && clean;
    fit.then_some(()).ok_or_else(|| "is not fit; write at most 32 KiB of text without control characters".into())
}
