/// The candidate that `word` was most likely meant to be, where one is near enough to be worth a question.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    const LIKE_ENOUGH: f64 = 0.6; // one slip in a word of three letters
    let scored =
        candidates.into_iter().map(|candidate| (strsim::normalized_damerau_levenshtein(word, candidate), candidate));
    scored.filter(|(score, _)| *score >= LIKE_ENOUGH).max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, near)| near)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn slips_are_recognised_and_other_words_are_not() {
        assert_eq!(nearest("sya", ["stop", "say", "day"]), Some("say"));
        assert_eq!(nearest("expects", ["http", "expect"]), Some("expect"));
        assert_eq!(nearest("prot", ["name", "port"]), Some("port"));
        assert_eq!(nearest("colour", ["name", "port"]), None);
        assert_eq!(nearest("a", []), None);
    }
}
