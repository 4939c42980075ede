//! What a person, or the server itself, is in a village: the role that a certificate grants.

use serde::{Deserialize, Serialize};

/// A role in a village. The codes and names are part of signed formats and never change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// A member of the work team that lives in the village (驻村工作队员).
    WorkTeam,
    /// The first secretary, who leads the work team (第一书记).
    FirstSecretary,
    /// A village officer (村干部).
    VillageOfficer,
    /// The township's staff (乡镇).
    Township,
    /// The county's staff (县).
    County,
    /// A line department, such as housing, water or education (行业部门).
    Department,
    /// A supervisor, who reads everything and has it proved (督查).
    Supervisor,
    /// A third-party assessor (第三方评估).
    ThirdParty,
    /// An administrator of the installation (管理员).
    Administrator,
    /// The server, which imports and adopts as a device of its own (服务器).
    Server,
}

impl Role {
    /// Every role, ascending by code.
    pub const ALL: [Self; 10] = [
        Self::WorkTeam,
        Self::FirstSecretary,
        Self::VillageOfficer,
        Self::Township,
        Self::County,
        Self::Department,
        Self::Supervisor,
        Self::ThirdParty,
        Self::Administrator,
        Self::Server,
    ];

    /// The byte that stands for the role in every binary format.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::WorkTeam => 1,
            Self::FirstSecretary => 2,
            Self::VillageOfficer => 3,
            Self::Township => 4,
            Self::County => 5,
            Self::Department => 6,
            Self::Supervisor => 7,
            Self::ThirdParty => 8,
            Self::Administrator => 9,
            Self::Server => 10,
        }
    }

    /// The role that a byte stands for.
    #[must_use]
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.code() == code)
    }

    /// The name in files, messages and JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::WorkTeam => "work_team",
            Self::FirstSecretary => "first_secretary",
            Self::VillageOfficer => "village_officer",
            Self::Township => "township",
            Self::County => "county",
            Self::Department => "department",
            Self::Supervisor => "supervisor",
            Self::ThirdParty => "third_party",
            Self::Administrator => "administrator",
            Self::Server => "server",
        }
    }

    /// Whether it runs or supervises the work, and does not only do it: such a role reads how the work of others
    /// stands, of each device and in quarantine.
    #[must_use]
    pub const fn oversees(self) -> bool {
        match self {
            Self::WorkTeam | Self::Department | Self::ThirdParty => false,
            Self::FirstSecretary
            | Self::VillageOfficer
            | Self::Township
            | Self::County
            | Self::Supervisor
            | Self::Administrator
            | Self::Server => true,
        }
    }

    /// The role of a name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_reads_back_from_its_code_and_its_name() {
        for (index, role) in Role::ALL.into_iter().enumerate() {
            assert_eq!(usize::from(role.code()), index + 1);
            assert_eq!(Role::from_code(role.code()), Some(role));
            assert_eq!(Role::from_name(role.name()), Some(role));
            assert_eq!(serde_json::to_value(role).unwrap(), role.name());
        }
    }

    #[test]
    fn an_unknown_code_or_name_is_no_role() {
        assert_eq!(Role::from_code(0), None);
        assert_eq!(Role::from_code(11), None);
        assert_eq!(Role::from_name("Supervisor"), None);
    }
}
