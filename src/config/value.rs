//! The types a value may have, each with what to write if it is not one.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use toml::de::DeValue;

use crate::address::Network;

use super::{Creation, LogFormat, Registration};

/// A value as found: the environment knows only text, so a text stands for any type there.
#[derive(Clone, Copy)]
pub(super) enum Raw<'a> {
    Env(&'a str),
    File(&'a DeValue<'a>),
}

/// Reads itself from a raw value, or says what is wrong and what to write.
pub(super) trait Setting: Sized {
    fn read(raw: Raw) -> Result<Self, String>;
}

/// A size in bytes, as people write it: `64MiB`.
#[derive(Clone, Copy)]
pub(super) struct Bytes(pub u64);

/// A time span that may be without end.
#[derive(Clone, Copy)]
pub(super) struct Retention(pub Option<Duration>);

/// A time span, or nothing at all.
#[derive(Clone, Copy)]
pub(super) struct OrOff(pub Option<Duration>);

/// An address that may be left out by an empty text.
#[derive(Clone, Copy)]
pub(super) struct Listen(pub Option<SocketAddr>);

impl Setting for String {
    fn read(raw: Raw) -> Result<Self, String> {
        match raw {
            Raw::Env(text) => Ok(text.to_owned()),
            Raw::File(DeValue::String(text)) => Ok(text.clone().into_owned()),
            Raw::File(other) => Err(format!("is {}; write a text in double quotes", kind(other))),
        }
    }
}

impl Setting for PathBuf {
    fn read(raw: Raw) -> Result<Self, String> {
        String::read(raw).map(PathBuf::from)
    }
}

impl Setting for bool {
    fn read(raw: Raw) -> Result<Self, String> {
        match raw {
            Raw::File(DeValue::Boolean(value)) => Ok(*value),
            Raw::Env("true") => Ok(true),
            Raw::Env("false") => Ok(false),
            _ => Err("is neither; write true or false, without quotes".into()),
        }
    }
}

impl Setting for u64 {
    fn read(raw: Raw) -> Result<Self, String> {
        let wrong = |found: &str| format!("{found} is not fit; write a whole number without quotes");
        match raw {
            Raw::Env(text) => text.trim().replace('_', "").parse().map_err(|_| wrong(&format!("{text:?}"))),
            Raw::File(DeValue::Integer(number)) => {
                let digits = number.as_str().trim_start_matches('+');
                u64::from_str_radix(digits, number.radix()).map_err(|_| wrong(&number.to_string()))
            }
            Raw::File(other) => Err(format!("is {}; write a whole number without quotes", kind(other))),
        }
    }
}

impl Setting for u32 {
    fn read(raw: Raw) -> Result<Self, String> {
        let number = u64::read(raw)?;
        u32::try_from(number).map_err(|_| format!("{number} is too large; write at most {}", u32::MAX))
    }
}

impl Setting for usize {
    fn read(raw: Raw) -> Result<Self, String> {
        u32::read(raw).map(|number| number as usize)
    }
}

impl Setting for Duration {
    fn read(raw: Raw) -> Result<Self, String> {
        let advice = "write a length of time with its unit in quotes, such as \"5s\", \"10m\" or \"1h 30m\"";
        let text = match raw {
            Raw::Env(text) => text,
            Raw::File(DeValue::String(text)) => text.as_ref(),
            Raw::File(other) => return Err(format!("is {}; {advice}", kind(other))),
        };
        humantime::parse_duration(text.trim()).map_err(|_| format!("{text:?} is not a length of time; {advice}"))
    }
}

impl Setting for Retention {
    fn read(raw: Raw) -> Result<Self, String> {
        match String::read(raw) {
            Ok(text) if text.trim() == "forever" => Ok(Retention(None)),
            _ => match Duration::read(raw) {
                Ok(span) => Ok(Retention(Some(span))),
                Err(_) => Err("is not fit; write \"forever\", or how long to keep, such as \"90days\"".into()),
            },
        }
    }
}

impl Setting for OrOff {
    fn read(raw: Raw) -> Result<Self, String> {
        match String::read(raw) {
            Ok(text) if text.trim() == "off" => Ok(OrOff(None)),
            _ => match Duration::read(raw) {
                Ok(span) => Ok(OrOff(Some(span))),
                Err(_) => Err("is not fit; write \"off\", or a length of time such as \"30days\"".into()),
            },
        }
    }
}

impl Setting for Bytes {
    fn read(raw: Raw) -> Result<Self, String> {
        let advice = "write a size with its unit in quotes, such as \"64MiB\"";
        let text = match raw {
            Raw::Env(text) => text,
            Raw::File(DeValue::String(text)) => text.as_ref(),
            Raw::File(other) => return Err(format!("is {}; {advice}", kind(other))),
        };
        let wrong = || format!("{text:?} is not a size; {advice}");
        let trimmed = text.trim();
        let digits = trimmed.find(|c: char| !c.is_ascii_digit()).unwrap_or(trimmed.len());
        let (number, unit) = trimmed.split_at(digits);
        let factor: u64 = match unit.trim() {
            "B" => 1,
            "KiB" => 1 << 10,
            "MiB" => 1 << 20,
            "GiB" => 1 << 30,
            "kB" | "KB" => 1_000,
            "MB" => 1_000_000,
            "GB" => 1_000_000_000,
            _ => return Err(wrong()),
        };
        number.parse::<u64>().ok().and_then(|number| number.checked_mul(factor)).map(Bytes).ok_or_else(wrong)
    }
}

impl Setting for Vec<String> {
    fn read(raw: Raw) -> Result<Self, String> {
        let advice = "write a list of texts, such as [\"one\", \"two\"]";
        match raw {
            Raw::Env(text) => {
                Ok(text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect())
            }
            Raw::File(DeValue::Array(items)) => items
                .iter()
                .map(|item| match item.get_ref() {
                    DeValue::String(text) => Ok(text.clone().into_owned()),
                    other => Err(format!("holds {}; {advice}", kind(other))),
                })
                .collect(),
            Raw::File(other) => Err(format!("is {}; {advice}", kind(other))),
        }
    }
}

impl Setting for Vec<SocketAddr> {
    fn read(raw: Raw) -> Result<Self, String> {
        Vec::<String>::read(raw)?.iter().map(|text| address(text)).collect()
    }
}

impl Setting for Vec<Network> {
    fn read(raw: Raw) -> Result<Self, String> {
        Vec::<String>::read(raw)?
            .iter()
            .map(|text| text.parse::<Network>().map_err(|error| error.to_string()))
            .collect()
    }
}

impl Setting for Listen {
    fn read(raw: Raw) -> Result<Self, String> {
        let text = String::read(raw)?;
        if text.is_empty() { Ok(Listen(None)) } else { address(&text).map(Some).map(Listen) }
    }
}

impl Setting for Creation {
    fn read(raw: Raw) -> Result<Self, String> {
        one_of(raw, &[("everyone", Creation::Everyone), ("admins", Creation::Admins)])
    }
}

impl Setting for Registration {
    fn read(raw: Raw) -> Result<Self, String> {
        one_of(raw, &[("closed", Registration::Closed), ("invite", Registration::Invite), ("open", Registration::Open)])
    }
}

impl Setting for LogFormat {
    fn read(raw: Raw) -> Result<Self, String> {
        one_of(raw, &[("text", LogFormat::Text), ("json", LogFormat::Json)])
    }
}

fn address(text: &str) -> Result<SocketAddr, String> {
    text.trim().parse().map_err(|_| {
        format!("{text:?} is not an address; write \"ip:port\", such as \"0.0.0.0:6697\" or \"[::]:6697\"")
    })
}

fn one_of<T: Copy>(raw: Raw, words: &[(&str, T)]) -> Result<T, String> {
    let text = String::read(raw)?;
    words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value).ok_or_else(|| {
        let words: Vec<String> = words.iter().map(|(word, _)| format!("{word:?}")).collect();
        format!("{text:?} is not known; write {}", words.join(" or "))
    })
}

fn kind(value: &DeValue) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) | DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
