//! Whose page it is: the name, the colour and the logo of the application.

use crate::oauth::settings::Settings;
use store::applications::Application;

/// How an application looks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Brand {
    /// The name that people see.
    pub name: String,
    /// Where the logo is, if there is one.
    pub logo: Option<String>,
    /// What the style sheet is told of the colour; nothing for the usual one.
    pub style: Option<String>,
    /// The colour itself, as `#rrggbb`.
    colour: Option<u32>,
}

/// The usual colour.
const USUAL: u32 = 0x000b_5cad;

impl Brand {
    /// The looks of an application.
    pub fn of(application: &Application, settings: &Settings) -> Self {
        Self {
            name: application.display_name.clone(),
            logo: settings.logo.as_ref().map(|version| format!("/brand/{}/logo?v={version}", application.id)),
            style: settings.colour.as_deref().and_then(style),
            colour: settings.colour.as_deref().and_then(number),
        }
    }

    /// The colours of a button where there is no style sheet, as in mail: its own, and what stands on it.
    pub fn button(&self) -> (String, &'static str) {
        let colour = self.colour.unwrap_or(USUAL);
        (format!("#{colour:06x}"), on(colour))
    }
}

/// The colour, and black or white on it, whichever can be read better: one of the two always has a contrast of 4.5 at
/// least (WCAG 2.2, 1.4.3).
fn style(colour: &str) -> Option<String> {
    let number = number(colour)?;
    let on = on(number);
    Some(format!(":root {{ --brand: #{number:06x}; --on-brand: {on}; --brand-line: currentColor; }}"))
}

fn number(colour: &str) -> Option<u32> {
    let digits = colour.strip_prefix('#').filter(|digits| digits.len() == 6)?;
    u32::from_str_radix(digits, 16).ok()
}

fn on(colour: u32) -> &'static str {
    if luminance(colour) > 0.179 { "#000" } else { "#fff" }
}

/// Relative luminance (WCAG 2.2).
fn luminance(colour: u32) -> f64 {
    let channel = |shift: u32| {
        let value = f64::from((colour >> shift) & 0xff) / 255.0;
        if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * channel(16) + 0.7152 * channel(8) + 0.0722 * channel(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_on_a_colour_can_be_read() {
        for number in (0..0x0100_0000_u32).step_by(4_099) {
            let style = style(&format!("#{number:06x}")).unwrap();
            let back = luminance(number);
            let contrast = if style.contains("--on-brand: #fff") { 1.05 / (back + 0.05) } else { (back + 0.05) / 0.05 };
            assert!(contrast >= 4.5, "#{number:06x}: {contrast}");
        }
        for wrong in ["red", "#12345", "#1234567", "#12345g", "} body { display: none"] {
            assert_eq!(style(wrong), None, "{wrong}");
        }
        assert_eq!(
            style("#0B5CAD").as_deref(),
            Some(":root { --brand: #0b5cad; --on-brand: #fff; --brand-line: currentColor; }")
        );
    }
}
