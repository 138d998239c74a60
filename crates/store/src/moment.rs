//! Times in rows that come as text, as all do that a message with several statements finds. sqlx cannot read those of a
//! whole second.

use sqlx::{
    Decode, Postgres, Type,
    error::BoxDynError,
    postgres::{PgTypeInfo, PgValueFormat, PgValueRef},
};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// A `timestamptz`, in either format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moment(pub(crate) OffsetDateTime);

impl From<OffsetDateTime> for Moment {
    fn from(time: OffsetDateTime) -> Self {
        Self(time)
    }
}

impl Type<Postgres> for Moment {
    fn type_info() -> PgTypeInfo {
        <OffsetDateTime as Type<Postgres>>::type_info()
    }
}

impl<'r> Decode<'r, Postgres> for Moment {
    fn decode(value: PgValueRef<'r>) -> Result<Self, BoxDynError> {
        match value.format() {
            PgValueFormat::Binary => OffsetDateTime::decode(value).map(Self),
            PgValueFormat::Text => Ok(Self(read(value.as_str()?)?)),
        }
    }
}

/// Reads `2026-11-22 11:04:30.5+00`; sqlx's sessions are in UTC and ISO's style.
fn read(text: &str) -> Result<OffsetDateTime, time::error::Parse> {
    let time = text.strip_suffix("+00").unwrap_or(text);
    OffsetDateTime::parse(&format!("{}Z", time.replacen(' ', "T", 1)), &Rfc3339)
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn times_are_read_to_the_microsecond() {
        let second = datetime!(2026-11-22 11:04:30 UTC);
        for (text, microseconds) in [("", 0), (".5", 500_000), (".000001", 1), (".999999", 999_999)] {
            let read = read(&format!("2026-11-22 11:04:30{text}+00")).unwrap();
            assert_eq!(read, second + time::Duration::microseconds(microseconds));
        }
        assert!(read("2026-11-22 11:04:30+01").is_err(), "another zone than UTC is no mistake to pass over");
    }
}
