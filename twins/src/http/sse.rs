//! The text of a stream of server-sent events, as its events.

/// Each event with the blank line that ends it; what follows the last one is an event that was broken off.
pub(crate) fn frames(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let mut end = 0;
        for line in rest.split_inclusive('\n') {
            end += line.len();
            if matches!(line, "\n" | "\r\n") {
                break;
            }
        }
        let (frame, left) = rest.split_at(end);
        rest = left;
        Some(frame)
    })
}

#[cfg(test)]
mod tests {
    use super::frames;

    #[test]
    fn a_blank_line_ends_an_event() {
        let split = |text| frames(text).collect::<Vec<_>>();
        assert_eq!(
            split("data: 1\n\nevent: x\r\ndata: 2\r\n\r\ndata: 3"),
            ["data: 1\n\n", "event: x\r\ndata: 2\r\n\r\n", "data: 3"]
        );
        assert_eq!(split("\n"), ["\n"]);
        assert!(split("").is_empty());
    }

    proptest::proptest! {
        #[test]
        fn nothing_is_lost(text in "[a:\r\n]{0,40}") {
            proptest::prop_assert_eq!(frames(&text).collect::<String>(), text);
        }
    }
}
