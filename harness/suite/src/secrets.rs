//! Which environment variables look like secrets, by their names.

/// Words that say it by themselves.
const WORDS: [&str; 9] = ["KEY", "KEYS", "AUTH", "PASS", "PGPASS", "PAT", "PATS", "JWT", "SESSION"];
/// How a word ends that says it: `OPENAI_APIKEY`, `ACCESSTOKEN`.
const ENDS: [&str; 14] = [
    "APIKEY",
    "APIKEYS",
    "TOKEN",
    "TOKENS",
    "SECRET",
    "SECRETS",
    "PASSWORD",
    "PASSWORDS",
    "PASSWD",
    "PASSPHRASE",
    "CREDENTIAL",
    "CREDENTIALS",
    "COOKIE",
    "COOKIES",
];

/// The word in a variable's name by which its value looks like a secret; words are separated by `_`. `PWD` alone is the
/// working directory, and a password in `MYSQL_PWD`.
pub fn secret_word(name: &str) -> Option<String> {
    let upper = name.to_uppercase();
    let says = |word: &&str| {
        let ends = ENDS.iter().any(|end| word.ends_with(end));
        WORDS.contains(word) || ends || (*word == "PWD" && upper != "PWD")
    };
    upper.split('_').find(says).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_known_by_their_names() {
        let secret = [
            "OPENAI_API_KEY",
            "HF_TOKEN",
            "github_pat",
            "PGPASS",
            "PGPASSWORD",
            "MYSQL_PWD",
            "SSH_PASSPHRASE",
            "SESSION_COOKIE",
            "COOKIES",
            "AWS_SECRET_ACCESS_KEY",
            "GOOGLE_APPLICATION_CREDENTIALS",
            "DB_PASS",
            "ACCESSTOKEN",
        ];
        for name in secret {
            assert!(secret_word(name).is_some(), "{name}");
        }
        let open = [
            "PATH",
            "PWD",
            "OLDPWD",
            "HOME",
            "TOKENIZERS_PARALLELISM",
            "KEYBOARD",
            "LD_LIBRARY_PATH",
            "COMPASS",
            "HF_HOME",
            "PATTERN",
            "AUTHOR",
        ];
        for name in open {
            assert_eq!(secret_word(name), None, "{name}");
        }
    }
}
