//! Appends numbers and messages to a line, without formatting machinery: this is where the time goes.

use super::{random::Random, scene::Scene};

const HEX: &[u8; 16] = b"0123456789abcdef";

/// Appends `number`.
#[inline]
pub(super) fn decimal(out: &mut Vec<u8>, number: u32) {
    let mut digits = [0; 10];
    let mut at = digits.len();
    let mut rest = number;
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

/// Appends the last `N` digits of `number`.
#[inline]
pub(super) fn padded<const N: usize>(out: &mut Vec<u8>, number: u32) {
    let mut digits = [b'0'; N];
    let mut rest = number;
    for digit in digits.iter_mut().rev() {
        *digit += (rest % 10) as u8;
        rest /= 10;
    }
    out.extend_from_slice(&digits);
}

/// Appends `N` hexadecimal digits of `bits`.
#[inline]
pub(super) fn hex<const N: usize>(out: &mut Vec<u8>, bits: u64) {
    let mut digits = [0; N];
    for (at, digit) in digits.iter_mut().enumerate() {
        *digit = HEX[(bits >> (4 * at)) as usize & 15];
    }
    out.extend_from_slice(&digits);
}

/// Appends an address of the internet that stands for `key`.
#[inline]
pub(super) fn address(out: &mut Vec<u8>, key: u64) {
    let bits = super::random::mix(key ^ 0x00ad_d4e5);
    decimal(out, 11 + (bits as u32 & 127));
    for shift in [8, 16, 24] {
        out.push(b'.');
        decimal(out, (bits >> shift) as u32 & 255);
    }
}

/// Appends what makes a line long: some hundred to some thousand identifiers.
#[cold]
pub(super) fn identifiers(out: &mut Vec<u8>, random: &mut Random) {
    let count = random.skewed(100, 1_000);
    for number in 0..count {
        if number > 0 {
            out.push(b',');
        }
        hex::<16>(out, random.next());
    }
}

/// A part of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Text(&'static str),
    Order,
    Few,
    Number,
    Millis,
    Price,
    User,
    Address,
    Tea,
}

const NAMED: [(&str, Part); 8] = [
    ("order", Part::Order),
    ("few", Part::Few),
    ("number", Part::Number),
    ("ms", Part::Millis),
    ("price", Part::Price),
    ("user", Part::User),
    ("address", Part::Address),
    ("tea", Part::Tea),
];

/// A message with gaps, such as `order {order} accepted`.
#[derive(Debug, Clone)]
pub(super) struct Message {
    parts: Vec<Part>,
}

impl Message {
    /// Takes a template of ours apart.
    pub(super) fn new(template: &'static str) -> Self {
        let mut parts = Vec::new();
        for (number, piece) in template.split('{').enumerate() {
            let rest = match piece.split_once('}').filter(|_| number > 0) {
                Some((name, rest)) => {
                    let part = NAMED.iter().find(|(known, _)| *known == name);
                    parts.push(part.expect("templates name what there is").1);
                    rest
                }
                None => piece,
            };
            if !rest.is_empty() {
                parts.push(Part::Text(rest));
            }
        }
        Self { parts }
    }

    /// Appends it, with the gaps filled.
    #[inline]
    pub(super) fn write(&self, out: &mut Vec<u8>, scene: &mut Scene) {
        for part in &self.parts {
            match *part {
                Part::Text(text) => out.extend_from_slice(text.as_bytes()),
                Part::Order => hex::<8>(out, scene.random.next()),
                Part::Few => decimal(out, 1 + scene.random.below(9)),
                Part::Number => decimal(out, scene.random.skewed(0, 100_000)),
                Part::Millis => decimal(out, scene.random.skewed(1, 9_000)),
                Part::Price => price(out, scene.random.skewed(150, 30_000)),
                Part::User => out.extend_from_slice(scene.user().as_bytes()),
                Part::Address => address(out, scene.client()),
                Part::Tea => out.extend_from_slice(scene.tea().as_bytes()),
            }
        }
    }
}

#[inline]
fn price(out: &mut Vec<u8>, cents: u32) {
    decimal(out, cents / 100);
    out.push(b'.');
    padded::<2>(out, cents % 100);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl Fn(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).expect("it is text")
    }

    #[test]
    fn numbers_are_written_as_the_standard_library_would() {
        for number in [0, 7, 10, 99, 100, 65_535, u32::MAX] {
            assert_eq!(written(|out| decimal(out, number)), number.to_string());
            assert_eq!(written(|out| padded::<3>(out, number)), format!("{:03}", number % 1_000));
        }
        assert_eq!(written(|out| hex::<4>(out, 0xabcd)), "dcba");
        assert_eq!(written(|out| price(out, 1_205)), "12.05");
    }

    #[test]
    fn templates_are_taken_apart() {
        let expected = [Part::Text("a "), Part::Order, Part::Few, Part::Text(" b")];
        assert_eq!(Message::new("a {order}{few} b").parts, expected);
    }
}
