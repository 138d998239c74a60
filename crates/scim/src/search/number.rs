//! Keys of numbers: exact for every number that JSON brings (64-bit integers and floats), whichever form it has.

use serde_json::Number;

/// Makes every exponent positive: the smallest number is 2 to the power of -1074, the largest less than 2^1024.
const EXPONENT_BIAS: i32 = 2048;
const MAX_EXPONENT: i32 = 0xFFF;

/// A number's size as 1.m times a power of two, with all bits of m; the sign and zero come first.
pub(super) fn key(number: &Number) -> Option<String> {
    if let Some(integer) = number.as_i64() {
        return Some(encode(integer < 0, integer.unsigned_abs(), 0));
    }
    if let Some(integer) = number.as_u64() {
        return Some(encode(false, integer, 0));
    }
    let float = number.as_f64().filter(|float| float.is_finite())?;
    let (significand, exponent) = parts(float);
    Some(encode(float.is_sign_negative(), significand, exponent))
}

/// The integers s and e of a float that is s times 2^e, without its sign (IEEE 754).
fn parts(float: f64) -> (u64, i32) {
    const FRACTION_BITS: i32 = 52;
    let bits = float.to_bits();
    let fraction = bits & ((1 << FRACTION_BITS) - 1);
    // Eleven bits fit into an i32.
    let exponent = i32::try_from((bits >> FRACTION_BITS) & 0x7FF).unwrap_or_default();
    match exponent {
        0 => (fraction, -1074),
        _ => (fraction | (1 << FRACTION_BITS), exponent - 1075),
    }
}

fn encode(negative: bool, significand: u64, exponent: i32) -> String {
    if significand == 0 {
        return "1".to_owned();
    }
    // The leading bit goes to the front, so that sizes compare by exponent first.
    let shift = significand.leading_zeros();
    let mantissa = significand << shift;
    let exponent = exponent - shift.cast_signed() + EXPONENT_BIAS;
    if negative {
        format!("0{:03x}{:016x}", MAX_EXPONENT - exponent, !mantissa)
    } else {
        format!("2{exponent:03x}{mantissa:016x}")
    }
}
