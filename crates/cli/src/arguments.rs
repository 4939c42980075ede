//! What can be typed after `ruhu`.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use ruhu_survey::id::CheckId;
use ruhu_survey::message::Lang;

/// A field device in a terminal: it works with no network and syncs when there is one.
#[derive(Debug, Parser)]
#[command(name = "ruhu", version, about = "入户排查 · household checks that work offline")]
pub(crate) struct Arguments {
    /// The folder of this device's encrypted store · 本机加密数据目录
    #[arg(long, global = true, env = "RUHU_STORE", default_value = "ruhu-device")]
    pub(crate) store: PathBuf,
    /// The language of messages · 界面语言
    #[arg(long, global = true, env = "RUHU_LANG", value_name = "zh|en")]
    pub(crate) lang: Option<Lang>,
    /// Machine-readable output · 输出 JSON
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// What to do
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What the device can be told to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Binds this device to a server by an invitation · 绑定设备
    Enrol(Enrol),
    /// Checks the passphrase and says what the store holds · 解锁并查看本机概况
    Unlock(Unlock),
    /// The villages on this device · 本机的村
    Villages,
    /// The devices of a village: last received, and what each said that it still holds · 各台设备的收发情况
    Devices(InVillage),
    /// The households of a village · 农户名单
    List(List),
    /// One household: members, latest answers, open conflicts · 查看一户
    Show(OneHousehold),
    /// Checks a form's file, or carries it from or to XLSForm · 检查、导入、导出表单
    #[command(subcommand)]
    Form(Form),
    /// Fills a check of a household, in a dialogue or from a JSON file · 入户排查
    Check(Check),
    /// Sets one field of a household or a member · 修改户或成员的一项
    Edit(Edit),
    /// Founds the file of a household that is on no roster · 新建农户
    Found(Found),
    /// Adds a member to a household · 增加家庭成员
    AddMember(AddMember),
    /// Ends a member's belonging to a household · 减少家庭成员
    EndMember(EndMember),
    /// The fields on which people disagree · 待裁定的冲突
    Conflicts(InVillage),
    /// Decides a conflict, with a reason · 裁定冲突
    Settle(Settle),
    /// Who changed what, when, on which device · 修改记录
    History(History),
    /// What is sent and what is not · 发送状态
    Status,
    /// Sends what is new and fetches what others wrote, from the server or from a device nearby · 同步
    Sync(Sync),
    /// Carries visits in a file or as QR codes, where no network goes · 离线包
    #[command(subcommand)]
    Bundle(Bundle),
    /// Photos and signatures of a check · 照片与签名
    #[command(subcommand)]
    Photo(Photo),
}

/// What to do with photos.
#[derive(Debug, Subcommand)]
pub(crate) enum Photo {
    /// Takes a picture into a draft, as the answer to a question · 添加
    Add(PhotoAdd),
    /// Takes a photo out of a draft again · 删除
    Remove {
        /// The draft, as `ruhu check --keep-draft` prints it
        check: CheckId,
        /// The key of the photo, as `ruhu photo list` prints it
        key: String,
    },
    /// The photos of a household, and where each stands · 列表
    List(OneHousehold),
    /// Writes a photo to a file, fetching it from the server if it is not here · 导出
    Save(PhotoSave),
}

/// A picture to take.
#[derive(Debug, Args)]
pub(crate) struct PhotoAdd {
    /// The draft, as `ruhu check --keep-draft` prints it
    pub(crate) check: CheckId,
    /// The picture, JPEG or PNG; what the camera wrote beside it, such as a position, is left out
    pub(crate) file: PathBuf,
    /// The question that it answers
    #[arg(long, default_value = "house_photos")]
    pub(crate) question: String,
    /// A small picture for lists, JPEG or PNG, at most 16 KiB
    #[arg(long, value_name = "FILE")]
    pub(crate) thumbnail: Option<PathBuf>,
    /// Takes a picture of up to 1 MiB; the usual limit is 300 KiB
    #[arg(long)]
    pub(crate) large: bool,
}

/// A photo to write.
#[derive(Debug, Args)]
pub(crate) struct PhotoSave {
    /// The household: its id, its official number, or the full name of its head
    pub(crate) household: String,
    /// The photo, or the beginning of its name, as `ruhu photo list` prints it
    pub(crate) photo: String,
    /// The file to write
    pub(crate) file: PathBuf,
    /// The small picture instead of the whole one
    #[arg(long)]
    pub(crate) thumbnail: bool,
}

/// With whom to sync.
#[derive(Debug, Args)]
pub(crate) struct Sync {
    /// Another device instead of the server: `listen ADDRESS:PORT` on one, `ADDRESS:PORT` on the other
    #[arg(long, num_args = 1..=2, value_names = ["listen", "ADDRESS:PORT"])]
    pub(crate) peer: Vec<String>,
    /// Takes the other device as confirmed, without asking
    #[arg(long, requires = "peer")]
    pub(crate) yes: bool,
    /// Leaves the photos for another time
    #[arg(long, conflicts_with = "peer")]
    pub(crate) no_photos: bool,
}

/// What to do with a bundle.
#[derive(Debug, Subcommand)]
pub(crate) enum Bundle {
    /// Appends to a file what it does not hold yet · 导出
    Export(BundleExport),
    /// Takes in what a file or scanned codes bring · 导入
    Import(BundleImport),
    /// Says what a file holds · 查看
    Show {
        /// The `.ruhu` file
        file: PathBuf,
    },
    /// Shows what the server has not received as QR codes · 二维码
    Qr(BundleQr),
}

/// A file to append to.
#[derive(Debug, Args)]
pub(crate) struct BundleExport {
    /// The `.ruhu` file; it is made if it is not there
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) place: InVillage,
    /// Leaves out what the server received before this day, `YYYY-MM-DD`
    #[arg(long, value_name = "DAY")]
    pub(crate) since: Option<String>,
}

/// A file or codes to take in.
#[derive(Debug, Args)]
pub(crate) struct BundleImport {
    /// The `.ruhu` file
    #[arg(required_unless_present = "qr_text")]
    pub(crate) file: Option<PathBuf>,
    /// The text of a scanned code; once for each code, in any order
    #[arg(long, conflicts_with = "file", value_name = "TEXT")]
    pub(crate) qr_text: Vec<String>,
}

/// Codes to show.
#[derive(Debug, Args)]
pub(crate) struct BundleQr {
    #[command(flatten)]
    pub(crate) place: InVillage,
    /// Only the last so many batches
    #[arg(long, value_name = "N")]
    pub(crate) last: Option<usize>,
    /// A picture instead of the terminal: `.png` or `.svg`; several are numbered
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

/// An invitation: the whole link, or a server and a typed code.
#[derive(Debug, Args)]
pub(crate) struct Enrol {
    /// The link of the invitation (`ruhu:enrol?…`)
    #[arg(conflicts_with_all = ["server", "code"], required_unless_present = "code")]
    pub(crate) link: Option<String>,
    /// The server's address
    #[arg(long, requires = "code")]
    pub(crate) server: Option<String>,
    /// The code of the invitation
    #[arg(long, requires = "server")]
    pub(crate) code: Option<String>,
    /// What this device is called in lists
    #[arg(long, default_value = "ruhu")]
    pub(crate) name: String,
    /// Takes the server's fingerprint as compared, without asking
    #[arg(long)]
    pub(crate) yes: bool,
}

/// Opening the store.
#[derive(Debug, Args)]
pub(crate) struct Unlock {
    /// Opens a fresh store after a damaged or newer one was set aside
    #[arg(long)]
    pub(crate) set_aside: bool,
    /// Asks for a new passphrase and changes to it
    #[arg(long)]
    pub(crate) change_passphrase: bool,
}

/// One village, where the device holds several.
#[derive(Debug, Args)]
pub(crate) struct InVillage {
    /// The village: its id, its 12-digit code, or its name; the only one when left out
    #[arg(long)]
    pub(crate) village: Option<String>,
}

/// Which households to list.
#[derive(Debug, Args)]
pub(crate) struct List {
    #[command(flatten)]
    pub(crate) place: InVillage,
    /// A name, the initials of its pinyin, or the last four of a certificate
    #[arg(long)]
    pub(crate) search: Option<String>,
    /// Only this villagers' group
    #[arg(long)]
    pub(crate) group: Option<String>,
    /// Only those due, longest unvisited first
    #[arg(long)]
    pub(crate) due: bool,
    /// At most so many
    #[arg(long, default_value_t = 50)]
    pub(crate) limit: usize,
}

/// One household.
#[derive(Debug, Args)]
pub(crate) struct OneHousehold {
    /// The household: its id, its official number, or the full name of its head
    pub(crate) household: String,
}

/// A check.
#[derive(Debug, Args)]
pub(crate) struct Check {
    /// The household: its id, its official number, or the full name of its head
    pub(crate) household: String,
    /// The kind of check
    #[arg(long = "type", default_value = "routine")]
    pub(crate) check_type: String,
    /// Answers from a file: a JSON object of keys and values
    #[arg(long)]
    pub(crate) answers: Option<PathBuf>,
    /// How the visit ended; as answered, or `completed`
    #[arg(long)]
    pub(crate) result: Option<String>,
    /// Asks the short form only: the starred questions, and what is ticked as changed
    #[arg(long)]
    pub(crate) short: bool,
    /// Keeps the answers as a draft instead of submitting
    #[arg(long)]
    pub(crate) keep_draft: bool,
}

/// One field.
#[derive(Debug, Args)]
pub(crate) struct Edit {
    /// The household: its id, its official number, or the full name of its head
    pub(crate) household: String,
    /// The field's key, such as `group_name` or `member/7k3q…/labour_ability`
    pub(crate) field: String,
    /// The new value
    pub(crate) value: String,
    /// Why
    #[arg(long)]
    pub(crate) reason: Option<String>,
    /// Where the value comes from: self_report, observed, document …
    #[arg(long)]
    pub(crate) source: Option<String>,
}

/// What to do with a form.
#[derive(Debug, Subcommand)]
pub(crate) enum Form {
    /// Says whether a form's file holds together, and what is wrong with it
    Check {
        /// The file
        file: PathBuf,
    },
    /// Reads an XLSForm workbook into a form, and says what was lost
    Import {
        /// The workbook, `.xlsx`
        file: PathBuf,
        /// The form's file to write
        #[arg(short, long)]
        out: PathBuf,
    },
    /// Writes a form as an XLSForm workbook
    Export {
        /// The form's file
        file: PathBuf,
        /// The workbook to write
        #[arg(short, long)]
        out: PathBuf,
    },
}

/// A household on no roster.
#[derive(Debug, Args)]
pub(crate) struct Found {
    #[command(flatten)]
    pub(crate) place: InVillage,
    /// The villagers' group
    #[arg(long)]
    pub(crate) group: String,
    #[command(flatten)]
    pub(crate) head: Person,
}

/// A person.
#[derive(Debug, Args)]
pub(crate) struct Person {
    /// The full name
    #[arg(long)]
    pub(crate) name: String,
    /// The number of the certificate
    #[arg(long)]
    pub(crate) certificate: Option<String>,
}

/// A new member.
#[derive(Debug, Args)]
pub(crate) struct AddMember {
    /// The household: its id, its official number, or the full name of its head
    pub(crate) household: String,
    #[command(flatten)]
    pub(crate) person: Person,
    /// The relation to the head, as a code: spouse, son …
    #[arg(long)]
    pub(crate) relation: String,
    /// The day the person joined, `YYYY-MM-DD`
    #[arg(long)]
    pub(crate) on: String,
    /// Why: birth, marriage_in …
    #[arg(long)]
    pub(crate) reason: String,
}

/// A member who left.
#[derive(Debug, Args)]
pub(crate) struct EndMember {
    /// The household: its id, its official number, or the full name of its head
    pub(crate) household: String,
    /// The member's id, as `ruhu show` prints it
    pub(crate) member: String,
    /// The day the person left, `YYYY-MM-DD`
    #[arg(long)]
    pub(crate) on: String,
    /// Why: death, marriage_out …
    #[arg(long)]
    pub(crate) reason: String,
}

/// A decision.
#[derive(Debug, Args)]
pub(crate) struct Settle {
    /// The household: its id, its official number, or the full name of its head
    pub(crate) household: String,
    /// The field in conflict, as `ruhu conflicts` prints it
    pub(crate) field: String,
    /// The number of the chosen value, as `ruhu conflicts` prints it
    #[arg(long, conflicts_with = "value")]
    pub(crate) choose: Option<usize>,
    /// Another value than those in conflict
    #[arg(long)]
    pub(crate) value: Option<String>,
    /// Why
    #[arg(long)]
    pub(crate) reason: String,
}

/// Whose history.
#[derive(Debug, Args)]
pub(crate) struct History {
    /// The household: its id, its official number, or the full name of its head
    pub(crate) household: String,
    /// Only this field
    pub(crate) field: Option<String>,
    /// A check of the household instead of its register
    #[arg(long)]
    pub(crate) check: Option<String>,
    /// Fetch the household's earlier checks from the server first
    #[arg(long)]
    pub(crate) earlier: bool,
}
