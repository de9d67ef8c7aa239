//! Which environment variables a command may see.

use std::collections::BTreeMap;

const SECRET_SUFFIXES: [&str; 5] = ["_API_KEY", "_SECRET", "_TOKEN", "_PASSWORD", "_CREDENTIAL"];

/// The environment without what looks like a secret by its name, in upper or lower case.
pub fn without_secrets(env: impl IntoIterator<Item = (String, String)>) -> BTreeMap<String, String> {
    let secret = |name: &str| SECRET_SUFFIXES.iter().any(|suffix| name.to_ascii_uppercase().ends_with(suffix));
    env.into_iter().filter(|(name, _)| !secret(name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_named_like_secrets_are_dropped() {
        let given = ["PATH", "OPENAI_API_KEY", "my_token", "DB_PASSWORD", "X_SECRET", "Y_CREDENTIAL", "TOKENS"];
        let env = without_secrets(given.map(|name| (name.to_owned(), "v".to_owned())));
        assert_eq!(env.keys().collect::<Vec<_>>(), ["PATH", "TOKENS"]);
    }
}
