//! Numbers as headings write them: `12`, `XII`, `Twelve`, `twenty-first`.

/// How a number is written; headings of one rank share it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Script {
    Arabic,
    Roman,
    Words,
}

/// A number read from the start of a list of words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Number {
    pub(crate) value: u32,
    pub(crate) script: Script,
    pub(crate) is_ordinal: bool,
    /// How many of the words it took.
    pub(crate) words: usize,
}

/// Cardinals and ordinals below twenty; the index is the value.
const SMALL: [(&str, &str); 20] = [
    ("zero", "zeroth"),
    ("one", "first"),
    ("two", "second"),
    ("three", "third"),
    ("four", "fourth"),
    ("five", "fifth"),
    ("six", "sixth"),
    ("seven", "seventh"),
    ("eight", "eighth"),
    ("nine", "ninth"),
    ("ten", "tenth"),
    ("eleven", "eleventh"),
    ("twelve", "twelfth"),
    ("thirteen", "thirteenth"),
    ("fourteen", "fourteenth"),
    ("fifteen", "fifteenth"),
    ("sixteen", "sixteenth"),
    ("seventeen", "seventeenth"),
    ("eighteen", "eighteenth"),
    ("nineteen", "nineteenth"),
];

/// Cardinals and ordinals of the tens from twenty.
const TENS: [(&str, &str); 8] = [
    ("twenty", "twentieth"),
    ("thirty", "thirtieth"),
    ("forty", "fortieth"),
    ("fifty", "fiftieth"),
    ("sixty", "sixtieth"),
    ("seventy", "seventieth"),
    ("eighty", "eightieth"),
    ("ninety", "ninetieth"),
];

/// Reads a number from the start of words that carry no punctuation.
pub(crate) fn read(words: &[&str]) -> Option<Number> {
    let first = words.first()?;
    if let Some((value, is_ordinal)) = arabic(first) {
        return Some(Number { value, script: Script::Arabic, is_ordinal, words: 1 });
    }
    if let Some(value) = roman(first) {
        return Some(Number { value, script: Script::Roman, is_ordinal: false, words: 1 });
    }
    in_words(words)
}

fn arabic(word: &str) -> Option<(u32, bool)> {
    let digits = word.len() - word.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, suffix) = word.split_at_checked(digits)?;
    let is_ordinal = match suffix.to_ascii_lowercase().as_str() {
        "" => false,
        "st" | "nd" | "rd" | "th" | "er" | "re" => true,
        _ if matches!(suffix, "º" | "ª" | "ère" | "e") => true,
        _ => return None,
    };
    if number.len() > 4 {
        return None;
    }
    Some((number.parse().ok()?, is_ordinal))
}

/// Reads a Roman numeral of one case, in its regular form only, so that few words pass for one.
pub(crate) fn roman(word: &str) -> Option<u32> {
    const STEPS: [(u32, &str); 13] = [
        (1000, "M"),
        (900, "CM"),
        (500, "D"),
        (400, "CD"),
        (100, "C"),
        (90, "XC"),
        (50, "L"),
        (40, "XL"),
        (10, "X"),
        (9, "IX"),
        (5, "V"),
        (4, "IV"),
        (1, "I"),
    ];
    let one_case =
        word.chars().all(|c| c.is_ascii_uppercase()) || word.chars().all(|c| c.is_ascii_lowercase());
    if word.is_empty() || word.len() > 15 || !one_case {
        return None;
    }
    let word = word.to_ascii_uppercase();
    let (mut rest, mut value) = (word.as_str(), 0);
    for (step, numeral) in STEPS {
        while let Some(tail) = rest.strip_prefix(numeral) {
            value += step;
            rest = tail;
        }
    }
    // Old prints write IIII and XVIIII; longer runs are no numeral.
    let regular = rest.is_empty()
        && !["IIIII", "XXXXX", "CCCCC", "VV", "LL", "DD"].iter().any(|run| word.contains(run));
    (regular && value < 1000).then_some(value)
}

fn in_words(words: &[&str]) -> Option<Number> {
    let (mut value, mut taken, mut is_ordinal) = (0, 0, false);
    let mut room = 1000;
    'words: for word in words {
        let lower = word.to_lowercase();
        let mut pieces = 0;
        for piece in lower.split('-') {
            if piece == "and" && value >= 100 && !is_ordinal {
                pieces += 1;
                continue;
            }
            let Some((amount, ordinal)) = unit(piece) else { break 'words };
            // Each further word is smaller than what the last one left open: "twenty-one", not "one twenty".
            if is_ordinal || (amount == 100 && !(1..20).contains(&value)) || (amount != 100 && amount >= room)
            {
                break 'words;
            }
            if amount == 100 {
                value *= 100;
                room = 100;
            } else {
                value += amount;
                room = if amount >= 20 { 10 } else { 0 };
            }
            is_ordinal = ordinal;
            pieces += 1;
        }
        taken += usize::from(pieces > 0);
    }
    (taken > 0).then_some(Number { value, script: Script::Words, is_ordinal, words: taken })
}

fn unit(word: &str) -> Option<(u32, bool)> {
    let rank = |(cardinal, ordinal): &(&str, &str)| {
        (*cardinal == word).then_some(false).or((*ordinal == word).then_some(true))
    };
    let small = (0_u32..).zip(&SMALL).find_map(|(value, names)| Some((value, rank(names)?)));
    let tens = || (2_u32..).zip(&TENS).find_map(|(value, names)| Some((value * 10, rank(names)?)));
    let hundred = || rank(&("hundred", "hundredth")).map(|ordinal| (100, ordinal));
    small.or_else(tens).or_else(hundred)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> Option<u32> {
        let words: Vec<&str> = text.split(' ').collect();
        read(&words).filter(|number| number.words == words.len()).map(|number| number.value)
    }

    #[test]
    fn numbers_in_every_script_are_read() {
        for (text, expected) in [
            ("12", 12),
            ("1st", 1),
            ("XLIV", 44),
            ("xviii", 18),
            ("IIII", 4),
            ("One", 1),
            ("FORTY-SEVEN", 47),
            ("twenty one", 21),
            ("Twenty-First", 21),
            ("one hundred and five", 105),
            ("hundredth", 0),
        ] {
            let expected = (expected > 0).then_some(expected);
            assert_eq!(value(text), expected, "{text}");
        }
        for text in ["", "Mix", "IIX", "VX", "one twenty", "first second", "12345", "2b", "and", "five-and"] {
            assert_eq!(value(text), None, "{text}");
        }
    }

    #[test]
    fn every_roman_numeral_has_its_value_and_no_other_does() {
        let mut seen = std::collections::HashSet::new();
        for letters in ["", "I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX"] {
            for tens in ["", "X", "XX", "XXX", "XL", "L", "LX", "LXX", "LXXX", "XC"] {
                let numeral = format!("{tens}{letters}");
                assert!(numeral.is_empty() || seen.insert(roman(&numeral).unwrap()));
            }
        }
        assert_eq!(seen, (1..100).collect());
    }
}
