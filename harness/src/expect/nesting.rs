//! How deep an expression nests. The libraries that read paths recurse, and an expression may come from a captured
//! value: what would overflow the stack is refused before they see it.

/// An expression that people write has a handful.
const NESTING_MAX: usize = 32;
const BYTES_MAX: usize = 4 * 1024; // longer than any path that a person reads

/// `Err` says why the expression is not even read. Brackets inside of quotes count too: that only refuses what nobody
/// writes.
pub(super) fn check(expression: &str) -> Result<(), String> {
    if expression.len() > BYTES_MAX {
        return Err(format!("it has more than {BYTES_MAX} bytes"));
    }
    let (mut depth, mut signs) = (0_usize, 0_usize);
    for c in expression.chars() {
        match c {
            '(' | '[' => depth += 1,
            ')' | ']' => depth = depth.saturating_sub(1),
            // Each sign before a number or a condition is a level of its own.
            '-' | '!' => signs += 1,
            _ if c.is_whitespace() => {}
            _ => signs = 0,
        }
        if depth.max(signs) > NESTING_MAX {
            return Err(format!("it nests deeper than {NESTING_MAX} levels"));
        }
    }
    Ok(())
}
