use super::tree::Tree;
use crate::DebianError;

/// The stacks that services share: the file, the module type, and the name of its variables in the template.
const STACKS: [(&str, &str, &str); 5] = [
    ("account", "account", "account"),
    ("auth", "auth", "auth"),
    ("password", "password", "password"),
    ("session", "session", "session"),
    ("session-noninteractive", "session", "session_nonint"),
];

/// Makes `etc/pam.d/common-*`, without which `su` refuses, as `pam-auth-update` does when the only profile that is
/// on by default is the one for Unix passwords.
pub(super) fn apply(tree: &mut Tree) -> Result<(), DebianError> {
    const PACKAGE: &str = "libpam-runtime";
    let profile = tree.text(PACKAGE, "usr/share/pam-configs/unix")?;
    for (file, kind, variable) in STACKS {
        let template = tree.text(PACKAGE, &format!("usr/share/pam/common-{file}"))?;
        tree.add_file(&format!("etc/pam.d/common-{file}"), stack(&template, &profile, kind, variable));
    }
    Ok(())
}

/// The template with its two variables filled in; the line of one that stays empty goes.
fn stack(template: &str, profile: &str, kind: &str, variable: &str) -> String {
    let module = module(profile, kind).unwrap_or_default();
    let (primary, additional) = match kind {
        // Sessions have no primary module; the place is held by one that jumps over the refusal.
        "session" => (format!("{kind}\t[default=1]\t\t\tpam_permit.so\n"), module),
        _ => (module, String::new()),
    };
    template
        .replace(&format!("${variable}_primary\n"), &primary)
        .replace(&format!("${variable}_additional\n"), &additional)
}

/// The line of a profile's first, and here only, module: the jump on success goes over the one refusal.
fn module(profile: &str, kind: &str) -> Option<String> {
    let mut lines = profile.lines();
    let initial = format!("{kind}-Initial:");
    lines.find(|line| line.eq_ignore_ascii_case(&initial))?;
    let line = lines.next()?.trim().replace("success=end", "success=1");
    let (control, rest) = line.split_once('\t')?;
    let (name, options) = rest.trim().split_once(' ').unwrap_or((rest.trim(), ""));
    Some(format!("{kind}\t{control}\t{name} {options}\n"))
}
