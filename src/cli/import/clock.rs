//! When a line was said, from the time on a wall that it gives: in some zone, in which an hour comes twice in autumn and
//! one never in spring.

use anyhow::Context;
use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};

/// The zone of logs that name none.
pub struct Zone {
    zone: TimeZone,
    pub name: String,
}

impl Zone {
    /// `Europe/Berlin`, `UTC`, `+02:00`; nothing: that of this machine.
    pub fn parse(text: Option<&str>) -> anyhow::Result<Zone> {
        let Some(text) = text else {
            let zone = TimeZone::try_system().unwrap_or(TimeZone::UTC);
            let name = zone.iana_name().unwrap_or("the zone of this machine").to_owned();
            return Ok(Zone { zone, name });
        };
        let zone = match offset(text) {
            Some(offset) => TimeZone::fixed(offset),
            None if text.eq_ignore_ascii_case("utc") => TimeZone::UTC,
            None => TimeZone::get(text).with_context(|| {
                format!("{text:?} is no time zone of this machine; write Europe/Berlin, UTC, or +02:00")
            })?,
        };
        Ok(Zone { zone, name: text.to_owned() })
    }

    /// The moment of a time on the wall. Of two, the one that does not lie before `last`, the moment of the line above.
    pub fn moment(&self, at: DateTime, last: i64) -> Option<i64> {
        let moment = self.zone.to_ambiguous_timestamp(at);
        // Of a time that never was, what a clock would have shown that was not put forward.
        let first = moment.compatible().ok()?.as_millisecond();
        if !moment.is_ambiguous() || first >= last {
            return Some(first);
        }
        let second = moment.later().ok()?.as_millisecond();
        Some(if second >= last { second } else { first })
    }
}

fn offset(text: &str) -> Option<Offset> {
    let (sign, rest) = match text.split_at_checked(1)? {
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let (hours, minutes) = rest.split_once(':').unwrap_or((rest, "0"));
    let (hours, minutes): (i32, i32) = (hours.parse().ok()?, minutes.parse().ok()?);
    (minutes < 60).then_some(())?;
    Offset::from_seconds(sign * (hours * 3600 + minutes * 60)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    #[test]
    fn an_hour_that_comes_twice_goes_on_from_the_line_above() {
        let zone = Zone::parse(Some("Europe/Berlin")).unwrap();
        let day = |hour, minute| date(2025, 10, 26).at(hour, minute, 0, 0);
        let hours = |millis: i64| millis.rem_euclid(86_400_000) / 60_000;
        let before = zone.moment(day(1, 30), 0).unwrap();
        assert_eq!(hours(before), 23 * 60 + 30);
        let first = zone.moment(day(2, 50), before).unwrap();
        assert_eq!(hours(first), 50);
        let second = zone.moment(day(2, 10), first).unwrap();
        assert_eq!(hours(second), 70, "the clock was put back");
        assert_eq!(hours(zone.moment(day(2, 11), second).unwrap()), 71);
        assert_eq!(hours(zone.moment(day(3, 0), second).unwrap()), 120);
        // In spring: half past two never was.
        assert_eq!(hours(zone.moment(date(2025, 3, 30).at(2, 30, 0, 0), 0).unwrap()), 90);
    }

    #[test]
    fn zones_as_people_write_them() {
        let noon = date(2026, 1, 1).at(12, 0, 0, 0);
        let hour = |zone: &str| Zone::parse(Some(zone)).unwrap().moment(noon, 0).unwrap() / 60_000 % 1440;
        assert_eq!(hour("UTC"), 720);
        assert_eq!(hour("+02:00"), 600);
        assert_eq!(hour("-03"), 720 + 180);
        assert_eq!(hour("-03:30"), 720 + 210);
        assert_eq!(hour("Europe/Berlin"), 660);
        assert!(Zone::parse(Some("Nowhere/City")).is_err());
    }
}
