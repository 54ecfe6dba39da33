//! Documentation that is generated: it stands between two marks in its file, and the tests hold it there.

use std::path::Path;

const BEGIN: &str = "<!-- generated: `UPDATE_DOCS=1 cargo nextest run -p imagewright-cli` writes it -->\n";
const END: &str = "<!-- end of what is generated -->\n";

/// Checks that the file has `text` between its marks; with `UPDATE_DOCS`, writes it there.
pub(crate) fn check(file: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(file);
    let whole = fs_err::read_to_string(&path).unwrap();
    let (before, rest) = whole.split_once(BEGIN).expect("the file has the first mark");
    let (between, after) = rest.split_once(END).expect("the file has the second mark");
    let wanted = format!("\n{}\n\n", text.trim());
    if between == wanted {
        return;
    }
    #[expect(clippy::disallowed_methods, reason = "a test asks whether it may write")]
    let may_write = std::env::var_os("UPDATE_DOCS").is_some();
    assert!(may_write, "{file} is stale; write it anew as its mark says. It should have:\n{wanted}");
    fs_err::write(path, format!("{before}{BEGIN}{wanted}{END}{after}")).unwrap();
}

/// The reference of the command line, from the definitions of its arguments.
#[test]
fn the_command_line_is_documented() {
    let mut text = String::new();
    let mut command = <crate::arguments::Arguments as clap::CommandFactory>::command().term_width(100);
    command.build();
    describe(&mut text, &mut command, 2);
    check("docs/cli.md", &text);
}

fn describe(text: &mut String, command: &mut clap::Command, level: usize) {
    use std::fmt::Write as _;

    let name = command.get_bin_name().unwrap_or_else(|| command.get_name()).to_owned();
    let help = command.render_long_help().to_string();
    let lines: Vec<&str> = help.lines().map(str::trim_end).collect();
    write!(text, "{} {name}\n\n```text\n{}\n```\n\n", "#".repeat(level), lines.join("\n").trim()).unwrap();
    for command in command.get_subcommands_mut().filter(|command| command.get_name() != "help") {
        describe(text, command, level + 1);
    }
}
