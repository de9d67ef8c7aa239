//! Conditions on edges: `minijinja` expressions over the run's state, such as `output.satisfied and not budget_reached`.

use minijinja::{Environment, UndefinedBehavior};
use serde_json::Value;

const FUEL: u64 = 10_000; // instructions; a condition needs tens

#[derive(Debug, thiserror::Error)]
#[error("condition `{condition}`: {message}")]
pub struct ConditionError {
    condition: String,
    message: String,
}

fn environment() -> Environment<'static> {
    let mut environment = Environment::empty();
    environment.set_undefined_behavior(UndefinedBehavior::SemiStrict);
    environment.set_fuel(Some(FUEL));
    environment
}

fn error(condition: &str, cause: &minijinja::Error) -> ConditionError {
    let message = cause.detail().map_or_else(|| cause.kind().to_string(), str::to_owned);
    ConditionError { condition: condition.to_owned(), message }
}

/// Whether `condition` can be read at all.
///
/// # Errors
/// The syntax error.
pub fn check(condition: &str) -> Result<(), ConditionError> {
    environment().compile_expression(condition).map(drop).map_err(|cause| error(condition, &cause))
}

/// Evaluates `condition` over `facts`.
///
/// # Errors
/// A syntax error, or a name inside of something that does not exist.
pub fn holds(condition: &str, facts: &Value) -> Result<bool, ConditionError> {
    let environment = environment();
    let expression = environment.compile_expression(condition).map_err(|cause| error(condition, &cause))?;
    let value = expression
        .eval(minijinja::Value::from(minijinja::value::Serde(facts)))
        .map_err(|cause| error(condition, &cause))?;
    Ok(value.is_true())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_condition_reads_outputs_and_combines_them() {
        let facts = json!({"output": {"satisfied": true, "gap": 0.1}, "visits": {"build": 2}});
        for (condition, expected) in [
            ("output.satisfied", true),
            ("not output.satisfied", false),
            ("output.satisfied and visits.build >= 2", true),
            ("output.gap > 0.2 or visits.build == 3", false),
            ("output.missing", false),
            ("'a' in ['a', 'b']", true),
        ] {
            assert_eq!(holds(condition, &facts).expect(condition), expected, "{condition}");
        }
    }

    #[test]
    fn nonsense_is_an_error_and_never_false() {
        assert!(check("output.satisfied ==").is_err());
        assert!(holds("output.satisfied.deeper.still == 1", &json!({"output": {}})).is_err());
    }
}
