//! The twins that a subject is given: built-in ones by their names, others by the paths of their definitions, which lie
//! in the subject's tree so that they go where it goes.

use std::{
    collections::BTreeSet,
    path::{Component, Path, PathBuf},
    sync::Arc,
};

use located::{Diagnostics, Source};

use crate::{
    arrange::{Abilities, is_definition, refused_twin},
    text::{Entries, Node, Text},
};

/// One of them.
#[derive(Clone, Debug)]
pub(crate) struct GivenTwin {
    pub(crate) twin: Arc<Abilities>,
    /// May hold templates.
    pub(crate) config: Node,
    /// Where its definition lies below the tree, if it has one.
    pub(crate) definition: Option<PathBuf>,
}

/// The twins as `source` names them; without those that there are not, which are told.
pub(super) fn read(written: Entries<Node>, source: &Source, wrong: &mut Diagnostics) -> Vec<GivenTwin> {
    let mut given: Vec<GivenTwin> = Vec::new();
    let mut names = BTreeSet::new();
    for (name, config) in written.0 {
        let definition = is_definition(&name).then(|| below(&name));
        let twin = match &definition {
            None => Abilities::built_in(&name).ok_or_else(|| source.diagnostic(name.place, refused_twin(&name)).into()),
            // It leads out.
            Some(None) => {
                let message = format!("the definition `{}` lies outside of the subject's tree", name.value);
                let hint = "put it beside this file or in a folder below, so that it goes where the subject goes";
                Err(source.diagnostic(name.place, message).hint(hint).into())
            }
            Some(Some(path)) => defined(&name, path, source),
        };
        let twin = match twin {
            Ok(twin) => twin,
            Err(errors) => {
                wrong.extend(errors.0);
                continue;
            }
        };
        if !names.insert(twin.name()) {
            let message = format!("the twin `{}` is given twice", twin.name());
            wrong.push(source.diagnostic(name.place, message).hint("scenarios tell twins apart by their names"));
        }
        let plain = config.written();
        if !plain.to_string().contains("{{")
            && let Err(message) = twin.check_config(plain)
        {
            wrong.push(source.diagnostic(name.place, message));
        }
        given.push(GivenTwin { twin, config, definition: definition.flatten() });
    }
    given
}

fn defined(name: &Text, path: &Path, source: &Source) -> Result<Arc<Abilities>, Diagnostics> {
    let path = Path::new(source.name()).with_file_name("").join(path);
    if !path.is_file() {
        let message = format!("there is no definition of a twin at `{}`", name.value);
        return Err(source.diagnostic(name.place, message).hint("its path is relative to this file").into());
    }
    Abilities::defined(&path)
}

/// None: it leads out of the folder.
fn below(name: &str) -> Option<PathBuf> {
    let parts = Path::new(name).components().filter(|part| *part != Component::CurDir);
    parts.map(|part| matches!(part, Component::Normal(_)).then_some(part)).collect()
}
