// Tests of BackupModel.
