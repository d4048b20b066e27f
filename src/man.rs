//! Manual pages of both programs: what the grammar of the command line says, and sections written by hand behind it.

use std::fs;
use std::io;
use std::path::Path;

use clap::Command;
use clap_mangen::Man;

/// Sections of one page (`chat-send`): their titles and their text. A line that begins with four blanks is shown as it
/// stands, a blank line begins a paragraph.
pub type Sections = &'static [(&'static str, &'static str, &'static str)];

/// All pages of a program: the name of the file, and what is in it.
pub fn pages(mut program: Command, sections: Sections) -> io::Result<Vec<(String, Vec<u8>)>> {
    program = program.disable_help_subcommand(true);
    program.build();
    let mut pages = Vec::new();
    add(&program, sections, &mut pages)?;
    Ok(pages)
}

/// Writes all pages into a folder, which is made if need be.
pub fn write(pages: &[(String, Vec<u8>)], dir: &Path) -> io::Result<()> {
    fs::create_dir_all(dir)?;
    pages.iter().try_for_each(|(name, page)| fs::write(dir.join(name), page))
}

fn add(command: &Command, sections: Sections, pages: &mut Vec<(String, Vec<u8>)>) -> io::Result<()> {
    let name = command.get_display_name().unwrap_or_else(|| command.get_name()).to_owned();
    let man = Man::new(command.clone()).title(name.to_uppercase()).manual("chatd");
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    if command.get_arguments().any(|argument| !argument.is_hide_set()) {
        man.render_options_section(&mut page)?;
    }
    let visible: Vec<&Command> = command.get_subcommands().filter(|command| !command.is_hide_set()).collect();
    if !visible.is_empty() {
        man.render_subcommands_section(&mut page)?;
    }
    for (_, title, text) in sections.iter().filter(|(page, ..)| *page == name || *page == "*") {
        section(title, text, &mut page);
    }
    pages.push((format!("{name}.1"), page));
    visible.into_iter().try_for_each(|command| add(command, sections, pages))
}

fn section(title: &str, text: &str, page: &mut Vec<u8>) {
    let mut out = format!(".SH \"{title}\"\n");
    let mut literal = false;
    for line in text.lines() {
        let code = line.strip_prefix("    ");
        if code.is_some() != literal && !(literal && line.is_empty()) {
            literal = code.is_some();
            out.push_str(if literal { ".PP\n.nf\n.RS 4\n" } else { ".RE\n.fi\n.PP\n" });
        }
        match code.unwrap_or(line) {
            "" if literal => out.push('\n'),
            "" => out.push_str(".PP\n"),
            line => {
                let line = line.replace('\\', "\\\\").replace('-', "\\-").replace('\'', "\\(aq").replace('^', "\\(ha");
                let line = line.replace('`', "\\(ga").replace('~', "\\(ti");
                out.push_str(if line.starts_with('.') { "\\&" } else { "" });
                out.push_str(&line);
                out.push('\n');
            }
        }
    }
    if literal {
        out.push_str(".RE\n.fi\n");
    }
    page.extend(out.into_bytes());
}
