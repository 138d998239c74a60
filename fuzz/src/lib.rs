//! Changes to filters, paths and JSON that keep their shape. Half of the changes are libFuzzer's own, of bytes: those alone
//! would hardly ever get past the brackets and commas.

mod chance;
mod json;
pub mod saml;
mod text;

use chance::Chance;
use libfuzzer_sys::fuzzer_mutate;

/// Changes a filter or a path; arguments and answer are those of libFuzzer's mutators.
pub fn change_text(data: &mut [u8], size: usize, max_size: usize, seed: u32) -> usize {
    change(data, size, max_size, seed, text::changed)
}

/// Changes a JSON document; arguments and answer are those of libFuzzer's mutators.
pub fn change_json(data: &mut [u8], size: usize, max_size: usize, seed: u32) -> usize {
    change(data, size, max_size, seed, json::changed)
}

fn change(
    data: &mut [u8],
    size: usize,
    max_size: usize,
    seed: u32,
    changed: fn(&str, &mut Chance) -> Option<String>,
) -> usize {
    let mut chance = Chance::new(seed);
    let before = if chance.one_in(2) { None } else { str::from_utf8(&data[..size]).ok() };
    match before.and_then(|before| changed(before, &mut chance)) {
        Some(after) if after.len() <= max_size => {
            data[..after.len()].copy_from_slice(after.as_bytes());
            after.len()
        }
        _ => fuzzer_mutate(data, size, max_size),
    }
}
