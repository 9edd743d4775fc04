"""Every message that one process sends another, typed. None of them is ever pickled.

On the wire a message is a msgpack array with its tag first (``msgspec``, ``array_like``). A frame holds one message;
messages that are worth batching carry lists. The modules follow the links: who speaks to whom.

Peers are named by id: a worker or driver by its WorkerID, a node by its NodeID, the head by ``HEAD``.
"""

from __future__ import annotations

from rustyray.model.messages.apart import KeepApart, KeptApart
from rustyray.model.messages.base import HEAD, Part, Role
from rustyray.model.messages.cluster import (
    FOR_HEAD,
    FROM_NODES,
    ActorExited,
    ActorInfo,
    ActorSpec,
    ActorStarted,
    ActorState,
    ClusterDescription,
    ClusterView,
    CreateActor,
    DescribeCluster,
    DescribeJob,
    FindActor,
    HeadEnds,
    HeadError,
    Heartbeat,
    HostedActor,
    JobAccepted,
    JobDescribed,
    JobFinished,
    JobOver,
    KillActor,
    ListActors,
    NamedActors,
    NodeAccepted,
    NodeEnds,
    NodeInfo,
    NodeRefused,
    OwnerDied,
    RegisterAgain,
    RegisterJob,
    RegisterNode,
    StartActor,
    StopActor,
    StopWorker,
    WatchActor,
    WorkerStays,
)
from rustyray.model.messages.data_path import (
    Arg,
    BorrowAck,
    BorrowAdd,
    BorrowRelease,
    Call,
    CancelObject,
    CancelTask,
    DefineFunction,
    Done,
    GetObjects,
    GiveBack,
    ObjectReady,
    PushCalls,
    PushTasks,
    Results,
    TakeBack,
    Task,
    Unblocked,
)
from rustyray.model.messages.entries import AskEntry, EntryAction, EntryAnswer
from rustyray.model.messages.groups import (
    BundlesPrepared,
    CreateGroup,
    FindGroup,
    GroupInfo,
    GroupList,
    GroupSpec,
    GroupState,
    ListGroups,
    Packing,
    PrepareBundles,
    RemoveGroup,
    ReturnBundles,
    WatchGroup,
)
from rustyray.model.messages.inside import (
    Inspect,
    InspectClient,
    Inspected,
    InspectHead,
    Report,
)
from rustyray.model.messages.jobs import AskJobs, JobAction, JobsTold, SubmittedJob
from rustyray.model.messages.leases import (
    ArenaLent,
    Blocked,
    CancelLease,
    JobSetup,
    KilledForMemory,
    KillWorker,
    LeaseElsewhere,
    LeaseFailed,
    LeaseGranted,
    LeaseOver,
    LeaseWaits,
    LendArena,
    NodeDied,
    Output,
    ReclaimLeases,
    RegisterDriver,
    Registered,
    RequestLease,
    Resumed,
    ReturnLease,
    Shutdown,
    ShutdownDone,
    WorkerDied,
    WorkerReady,
    WorkerSpent,
)
from rustyray.model.messages.store import (
    BETWEEN_NODES,
    Chunk,
    ObjectLost,
    PullChunk,
    PullDone,
    PullElsewhere,
    PullFailed,
    StoreAbort,
    StoreCreate,
    StoreCreated,
    StoreFailed,
    StoreFree,
    StorePin,
    StorePinAll,
    StorePinned,
    StorePressure,
    StoreSeal,
    StoreUnpin,
    UnwatchPressure,
    WatchPressure,
)
from rustyray.model.messages.streams import Items, ItemsRead, StreamOver

__all__ = [
    "BETWEEN_NODES",
    "FOR_HEAD",
    "FROM_NODES",
    "HEAD",
    "ActorExited",
    "ActorInfo",
    "ActorSpec",
    "ActorStarted",
    "ActorState",
    "Alone",
    "ArenaLent",
    "Arg",
    "AskEntry",
    "AskJobs",
    "Blocked",
    "BorrowAck",
    "BorrowAdd",
    "BorrowRelease",
    "BundlesPrepared",
    "Call",
    "CancelLease",
    "CancelObject",
    "CancelTask",
    "Chunk",
    "ClusterDescription",
    "ClusterView",
    "CreateActor",
    "CreateGroup",
    "DefineFunction",
    "DescribeCluster",
    "DescribeJob",
    "Done",
    "EntryAction",
    "EntryAnswer",
    "FindActor",
    "FindGroup",
    "GetObjects",
    "GiveBack",
    "GroupInfo",
    "GroupList",
    "GroupSpec",
    "GroupState",
    "HeadEnds",
    "HeadError",
    "Heartbeat",
    "HostedActor",
    "Inspect",
    "InspectClient",
    "InspectHead",
    "Inspected",
    "Items",
    "ItemsRead",
    "JobAccepted",
    "JobAction",
    "JobDescribed",
    "JobFinished",
    "JobOver",
    "JobSetup",
    "JobsTold",
    "KeepApart",
    "KeptApart",
    "KillActor",
    "KillWorker",
    "KilledForMemory",
    "LeaseElsewhere",
    "LeaseFailed",
    "LeaseGranted",
    "LeaseOver",
    "LeaseWaits",
    "LendArena",
    "ListActors",
    "ListGroups",
    "Message",
    "NamedActors",
    "NodeAccepted",
    "NodeDied",
    "NodeEnds",
    "NodeInfo",
    "NodeRefused",
    "ObjectLost",
    "ObjectReady",
    "Output",
    "OwnerDied",
    "Packing",
    "Part",
    "PrepareBundles",
    "PullChunk",
    "PullDone",
    "PullElsewhere",
    "PullFailed",
    "PushCalls",
    "PushTasks",
    "ReclaimLeases",
    "RegisterAgain",
    "RegisterDriver",
    "RegisterJob",
    "RegisterNode",
    "Registered",
    "RemoveGroup",
    "Report",
    "RequestLease",
    "Results",
    "Resumed",
    "ReturnBundles",
    "ReturnLease",
    "Role",
    "Shutdown",
    "ShutdownDone",
    "StartActor",
    "StopActor",
    "StopWorker",
    "StoreAbort",
    "StoreCreate",
    "StoreCreated",
    "StoreFailed",
    "StoreFree",
    "StorePin",
    "StorePinAll",
    "StorePinned",
    "StorePressure",
    "StoreSeal",
    "StoreUnpin",
    "StreamOver",
    "SubmittedJob",
    "TakeBack",
    "Task",
    "Unblocked",
    "UnwatchPressure",
    "WatchActor",
    "WatchGroup",
    "WatchPressure",
    "WorkerDied",
    "WorkerReady",
    "WorkerSpent",
    "WorkerStays",
]

#: Those that go alone, without a body behind them.
Alone = (
    DefineFunction
    | PushTasks
    | PushCalls
    | TakeBack
    | CancelTask
    | Results
    | GiveBack
    | Unblocked
    | GetObjects
    | CancelObject
    | ObjectReady
    | BorrowAdd
    | BorrowAck
    | BorrowRelease
    | Items
    | ItemsRead
    | StreamOver
    | RegisterDriver
    | Registered
    | WorkerReady
    | RequestLease
    | CancelLease
    | LeaseGranted
    | LeaseElsewhere
    | LeaseWaits
    | LeaseFailed
    | ReturnLease
    | ReclaimLeases
    | Blocked
    | Resumed
    | WorkerDied
    | NodeDied
    | WorkerSpent
    | KillWorker
    | KilledForMemory
    | LeaseOver
    | Output
    | LendArena
    | KeepApart
    | KeptApart
    | ArenaLent
    | StoreCreate
    | StoreCreated
    | StoreFailed
    | StoreSeal
    | StoreAbort
    | StorePin
    | StorePinAll
    | StorePinned
    | StoreUnpin
    | StoreFree
    | ObjectLost
    | WatchPressure
    | UnwatchPressure
    | StorePressure
    | PullChunk
    | PullFailed
    | PullElsewhere
    | PullDone
    | CreateActor
    | ActorInfo
    | HeadError
    | WatchActor
    | FindActor
    | KillActor
    | ListActors
    | NamedActors
    | DescribeCluster
    | ClusterDescription
    | JobFinished
    | RegisterJob
    | JobAccepted
    | DescribeJob
    | JobDescribed
    | JobOver
    | OwnerDied
    | RegisterNode
    | RegisterAgain
    | NodeAccepted
    | NodeRefused
    | NodeEnds
    | HeadEnds
    | Heartbeat
    | ClusterView
    | StartActor
    | ActorStarted
    | StopActor
    | ActorExited
    | GroupInfo
    | CreateGroup
    | RemoveGroup
    | FindGroup
    | ListGroups
    | GroupList
    | WatchGroup
    | PrepareBundles
    | BundlesPrepared
    | ReturnBundles
    | StopWorker
    | WorkerStays
    | AskEntry
    | EntryAnswer
    | AskJobs
    | JobsTold
    | Inspect
    | InspectHead
    | InspectClient
    | Inspected
    | Shutdown
    | ShutdownDone
)

Message = Alone | Chunk
