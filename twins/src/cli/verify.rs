use std::{
    fs::File,
    io::{BufRead, BufReader, stdin, stdout},
    path::Path,
    process::ExitCode,
};

use anyhow::{Context, Result};

use super::say;

pub(super) fn run(file: &Path, as_json: bool) -> Result<ExitCode> {
    let shown = file.display();
    let reader: Box<dyn BufRead> = if file == Path::new("-") {
        Box::new(stdin().lock())
    } else {
        Box::new(BufReader::new(File::open(file).with_context(|| format!("cannot read {shown}"))?))
    };
    match twins::verify_journal(reader) {
        Ok(proof) if as_json => say(&mut stdout(), &serde_json::to_string(&proof)?)?,
        Ok(proof) => {
            let (first, calls) = (proof.first_seq, proof.calls);
            let whole = if first == 1 { "from the first on".to_owned() } else { format!("from number {first} on") };
            let calls = if calls == 1 { "1 call".to_owned() } else { format!("{calls} calls") };
            say(&mut stdout(), &format!("{calls} {whole}, unchanged\nhead {}", proof.head))?;
        }
        Err(flaw) => {
            say(&mut std::io::stderr(), &format!("error: {shown}: {flaw}"))?;
            return Ok(ExitCode::FAILURE);
        }
    }
    Ok(ExitCode::SUCCESS)
}
