//! Moments as people write them on a command line: a day, a time, or how long ago. Pure: the time it is now and the zone
//! are handed in.

use std::time::Duration;

use time::format_description::well_known::Rfc3339;
use time::macros::format_description;
use time::{Date, OffsetDateTime, PrimitiveDateTime, Time, UtcOffset};

use crate::event::Millis;

/// A moment as people write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    Exactly(OffsetDateTime),
    /// In the reader's time zone.
    Local(PrimitiveDateTime),
    Day(Date),
    Ago(Duration),
}

/// Which end of a day is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edge {
    Start,
    End,
}

impl When {
    pub fn parse(text: &str) -> Result<When, String> {
        let text = text.trim();
        let day = format_description!("[year]-[month]-[day]");
        if let Ok(exactly) = OffsetDateTime::parse(text, &Rfc3339) {
            return Ok(When::Exactly(exactly));
        }
        if let Ok(day) = Date::parse(text, &day) {
            return Ok(When::Day(day));
        }
        let spaced = text.replacen('T', " ", 1);
        let minute = format_description!("[year]-[month]-[day] [hour]:[minute]");
        let second = format_description!("[year]-[month]-[day] [hour]:[minute]:[second]");
        if let Ok(local) =
            PrimitiveDateTime::parse(&spaced, &second).or_else(|_| PrimitiveDateTime::parse(&spaced, &minute))
        {
            return Ok(When::Local(local));
        }
        let span = text.strip_suffix("ago").unwrap_or(text).trim();
        humantime::parse_duration(span).map(When::Ago).map_err(|_| {
            "is not a time; write 2026-11-23, \"2026-11-23 15:04\", 2026-11-23T15:04:05Z, or how long ago: 2h, 3d"
                .into()
        })
    }

    pub fn resolve(self, now: Millis, zone: UtcOffset, edge: Edge) -> Millis {
        let at = |moment: OffsetDateTime| {
            Millis(i64::try_from(moment.unix_timestamp_nanos() / 1_000_000).unwrap_or(i64::MAX))
        };
        match self {
            When::Exactly(moment) => at(moment),
            When::Local(moment) => at(moment.assume_offset(zone)),
            When::Day(day) => {
                let start = at(PrimitiveDateTime::new(day, Time::MIDNIGHT).assume_offset(zone));
                if edge == Edge::End { Millis(start.0 + 86_400_000) } else { start }
            }
            When::Ago(span) => Millis(now.0.saturating_sub(i64::try_from(span.as_millis()).unwrap_or(i64::MAX)).max(0)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_people_write_them() {
        let zone = UtcOffset::from_hms(1, 0, 0).unwrap();
        let now = Millis(1_795_446_245_007);
        let read = |text: &str, edge| {
            let at = When::parse(text).unwrap().resolve(now, zone, edge);
            let format = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
            OffsetDateTime::from_unix_timestamp_nanos(i128::from(at.0) * 1_000_000).unwrap().format(&format).unwrap()
        };
        assert_eq!(read("2026-11-23T10:00:00Z", Edge::Start), "2026-11-23T10:00:00.000Z");
        assert_eq!(read("2026-11-23T10:00:00.5+02:00", Edge::Start), "2026-11-23T08:00:00.500Z");
        assert_eq!(read("2026-11-23", Edge::Start), "2026-11-22T23:00:00.000Z");
        assert_eq!(read("2026-11-23", Edge::End), "2026-11-23T23:00:00.000Z");
        assert_eq!(read("2026-11-23 10:30", Edge::Start), "2026-11-23T09:30:00.000Z");
        assert_eq!(read("2026-11-23T10:30:01", Edge::Start), "2026-11-23T09:30:01.000Z");
        assert_eq!(read("2h", Edge::Start), "2026-11-23T13:04:05.007Z");
        assert_eq!(read("3d ago", Edge::End), "2026-11-20T15:04:05.007Z");
        assert_eq!(read("9000years", Edge::Start), "1970-01-01T00:00:00.000Z");
        for bad in ["", "soon", "2026-13-01", "25", "10:30"] {
            assert!(When::parse(bad).is_err(), "{bad}");
        }
    }
}
