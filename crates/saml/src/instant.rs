//! Times as SAML core 1.3.3 writes them: xs:dateTime in UTC, nothing else.

use crate::code::{Code, Rejection};
use time::{Date, Month, OffsetDateTime, Time, UtcDateTime, UtcOffset};

/// Reads a time that must be there; `name` is the attribute, for the admin.
pub(crate) fn required(value: Option<&str>, name: &str) -> Result<OffsetDateTime, Rejection> {
    let Some(text) = value else {
        return Err(Rejection::new(Code::TimeFormat).expected(name).received("nothing"));
    };
    parse(text).ok_or_else(|| {
        Rejection::new(Code::TimeFormat).expected(&format!("{name} like 2026-01-31T12:00:00Z")).received(text)
    })
}

/// Reads a time that may be absent, but not wrong.
pub(crate) fn optional(value: Option<&str>, name: &str) -> Result<Option<OffsetDateTime>, Rejection> {
    value.map(|text| required(Some(text), name)).transpose()
}

/// The same form, in whole seconds.
pub(crate) fn written(instant: OffsetDateTime) -> String {
    let utc = instant.to_offset(UtcOffset::UTC);
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z",
        utc.year(),
        u8::from(utc.month()),
        utc.day(),
        utc.hour(),
        utc.minute(),
        utc.second()
    )
}

fn parse(text: &str) -> Option<OffsetDateTime> {
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    let (year, rest) = date.split_once('-')?;
    let (month, day) = rest.split_once('-')?;
    let month = Month::try_from(u8::try_from(digits(month, 2)?).ok()?).ok()?;
    let date =
        Date::from_calendar_date(i32::try_from(digits(year, 4)?).ok()?, month, u8::try_from(digits(day, 2)?).ok()?)
            .ok()?;

    let (clock, fraction) = time.split_once('.').map_or((time, None), |(clock, fraction)| (clock, Some(fraction)));
    let (hour, rest) = clock.split_once(':')?;
    let (minute, second) = rest.split_once(':')?;
    let part = |text| u8::try_from(digits(text, 2)?).ok();
    let nanosecond = match fraction {
        Some(fraction) => nanoseconds(fraction)?,
        None => 0,
    };
    let time = Time::from_hms_nano(part(hour)?, part(minute)?, part(second)?, nanosecond).ok()?;
    Some(UtcDateTime::new(date, time).into())
}

fn digits(text: &str, length: usize) -> Option<u32> {
    let right = text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit());
    if right { text.parse().ok() } else { None }
}

/// The first nine digits of a fraction; identity providers send up to nine, .NET seven.
fn nanoseconds(fraction: &str) -> Option<u32> {
    let right = (1..=30).contains(&fraction.len()) && fraction.bytes().all(|byte| byte.is_ascii_digit());
    if !right {
        return None;
    }
    let value = fraction.bytes().chain(std::iter::repeat(b'0')).take(9);
    Some(value.fold(0, |sum, digit| sum * 10 + u32::from(digit - b'0')))
}
