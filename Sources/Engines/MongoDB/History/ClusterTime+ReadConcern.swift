import BSON
import BackupModel

extension ClusterTime {
    /// Reads what there was at this time (MongoDB manual: Read Concern "snapshot").
    var readConcern: BSONValue { ["level": "snapshot", "atClusterTime": .timestamp(bits)] }
}
