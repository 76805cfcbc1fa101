//! What an agent that is somebody else's by now may ask.

use std::fs::File;

use super::*;

/// All that can be asked, but for the two that start a program or go through all of /proc: the one reads nothing of a
/// question, the other a number of 16 bytes.
const ASKED: [Deed; 18] = [
    Deed::Begin,
    Deed::Namespace,
    Deed::Root,
    Deed::RootFolder,
    Deed::Folder,
    Deed::Passwd,
    Deed::Size,
    Deed::State,
    Deed::StateOfUser,
    Deed::Mark,
    Deed::MarkFiles,
    Deed::ByHandles,
    Deed::Name,
    Deed::Opened,
    Deed::Programs,
    Deed::Attach,
    Deed::GiveBack,
    Deed::CgroupPrograms,
];

/// One that has begun, with a folder of a runtime.
fn keeper(root: &Path) -> Keeper {
    let keeper = Keeper::default();
    keeper.roots.lock().unwrap().push(root.to_owned());
    keeper.own.get_or_init(Own::default);
    keeper
}

/// Files that stand open beside a question, none of which it may be hurt by.
fn beside(folder: &Path) -> Vec<OwnedFd> {
    [folder, Path::new("/dev/null"), Path::new("/proc/self")]
        .map(|path| OwnedFd::from(File::open(path).unwrap()))
        .into()
}

#[test]
fn fuzzed_questions_are_answered_or_refused() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("web")).unwrap();
    std::fs::write(folder.path().join("web/state.json"), "{}").unwrap();
    let (keeper, beside) = (keeper(folder.path()), beside(folder.path()));
    let root = folder.path().as_os_str().as_bytes();
    let own = u64::from(std::process::id());
    let question = |deed| {
        let question = Message::ask(deed).numbers([own, 1, 0, u64::MAX]).text(root).text("web/state.json");
        question.text(".local/share/containers/storage").packet().unwrap()
    };
    let seeds = ASKED.map(question);
    let mut answered = 0;
    crate::fuzz::run(&seeds, |bytes, dice| {
        let Some(question) = Message::read(bytes) else { return };
        let deed = question.deed();
        if matches!(deed, Deed::Discover | Deed::Canary) {
            return;
        }
        let from = dice.roll(beside.len() + 1);
        if let Ok((answer, open)) = keeper.answer(&question, &beside[from..]) {
            answered += 1;
            assert!(answer.packet().is_ok() && open.len() <= super::super::message::DESCRIPTORS_MAX);
            assert!(!matches!(deed, Deed::None | Deed::Begin), "{question:?}");
        }
    });
    assert!(answered > 0, "no question came to an answer");
}

/// The folder that is known, and nothing that links or dots lead to.
#[test]
fn state_is_handed_out_of_known_folders_only() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("runc");
    std::fs::create_dir_all(root.join("web")).unwrap();
    std::fs::write(root.join("web/state.json"), "{}").unwrap();
    std::fs::write(folder.path().join("state.json"), "secret").unwrap();
    std::os::unix::fs::symlink(folder.path(), root.join("link")).unwrap();
    let keeper = keeper(&root);
    let ask = |root: &Path, below: &str| {
        let file = What::ALL.iter().position(|what| *what == What::File).unwrap();
        let question = Message::ask(Deed::State).numbers([u64::try_from(file).unwrap()]);
        keeper.answer(&question.text(root.as_os_str().as_bytes()).text(below), &[]).is_ok()
    };
    assert!(ask(&root, "web/state.json"));
    for below in ["../state.json", "link/state.json", "web/../../state.json", "/etc/passwd", "web/other", ""]
    {
        assert!(!ask(&root, below), "{below}");
    }
    assert!(!ask(folder.path(), "state.json"), "nobody has told of that folder");
}
