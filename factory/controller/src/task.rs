//! What the builder is told: the spec, how it will be started, the visible scenarios, and the feedback so far.

use std::fmt::Write as _;

use model::spec::Spec;

/// Where the task's files stand in the workspace; never exported.
pub const TASK_DIR: &str = ".factory";

/// The text of the builder's first user turn; the same text stands in `.factory/TASK.md`.
pub fn text(spec: &Spec, iteration: u32, feedback: Option<&str>) -> String {
    let mut text = format!("# Task: {}\n\n", spec.title);
    text.push_str(match iteration {
        1 => "Build the software that the spec below describes, in the current directory.\n",
        _ => "Your earlier work stands in the current directory. Mend what the feedback below names, and break nothing.\n",
    });
    let _ = writeln!(
        text,
        "\n- The spec is also in `{TASK_DIR}/spec.md`, the visible scenarios are in `{TASK_DIR}/scenarios/`.\n\
         - `harness.yaml` says how the software is started and which environment it gets; do not change it.\n\
         - It is judged by these scenarios and by others that you cannot see, with other values, on fresh data.\n\
         - There is no network here. Run what you write before you say that it is done.\n"
    );
    text.push_str("## Requirements\n");
    for requirement in &spec.requirements {
        let _ = writeln!(text, "- {}: {}", requirement.id, requirement.text);
    }
    let _ = writeln!(text, "\n## Spec\n{}", spec.body.trim());
    if let Some(feedback) = feedback {
        let _ = writeln!(text, "\n{}", feedback.trim());
    }
    text
}
