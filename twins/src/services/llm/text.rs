//! Text as a model's: how many tokens it has, and how a stream cuts it into pieces.

const PIECE_CHARS_MIN: usize = 24;
const PIECES_PER_BLOCK: usize = 48; // long texts come in larger pieces, so that a file is not thousands of events

/// At least one.
#[expect(clippy::cast_precision_loss, clippy::cast_sign_loss, clippy::cast_possible_truncation, reason = "an estimate")]
pub(in crate::services) fn tokens(characters: usize, per_char: f64) -> u64 {
    (characters as f64 * per_char).ceil().max(1.0) as u64
}

pub(in crate::services) fn pieces(text: &str) -> Vec<String> {
    let characters: Vec<char> = text.chars().collect();
    let size = (characters.len() / PIECES_PER_BLOCK).max(PIECE_CHARS_MIN);
    characters.chunks(size).map(|piece| piece.iter().collect()).collect()
}

/// Header values are visible ASCII.
pub(in crate::services) fn ascii(text: &str) -> String {
    text.chars().map(|c| if c == ' ' || c.is_ascii_graphic() { c } else { '?' }).collect()
}
