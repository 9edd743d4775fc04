"""A world with a driver whose program is the code that called ``init``: it steps while that code waits."""

from __future__ import annotations

from _thread import get_ident
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from greenlet import GreenletExit, getcurrent, greenlet

from rustyray.core.node import NodeLimits
from rustyray.core.node.knobs import KNOBS, configured
from rustyray.engines.sim import circles, stuck
from rustyray.engines.sim.driver import SimDriver
from rustyray.engines.sim.errors import Errors
from rustyray.engines.sim.green import Green, MainProgram, enter, set_variables, variables
from rustyray.engines.sim.host import UserProcess
from rustyray.engines.sim.stdlib import stage, threads
from rustyray.engines.sim.stdlib.outputs import Quiet
from rustyray.engines.sim.steering import present
from rustyray.engines.sim.worker import SimWorker
from rustyray.engines.sim.world.chooser import Seeded, Tame
from rustyray.engines.sim.world.events import Fiber
from rustyray.engines.sim.world.node import NodeHost
from rustyray.engines.sim.world.process import GRAIN, NEVER, OwnerProcess, Program, Sleep, Until
from rustyray.engines.sim.world.world import PATIENCE, World
from rustyray.exceptions import SimulationError
from rustyray.model.ids import WorkerID, worker_id
from rustyray.model.options import hint
from rustyray.model.resources import of_node

if TYPE_CHECKING:
    from rustyray.engines.sim.stdlib.loop import ActorLoop
    from rustyray.model.settings import Settings

#: The capacity of each node's store unless `init` is given one (bytes); only what is used takes memory.
STORE_MEMORY: Final = 2 * 1024**3
#: The engine's own settings: a bound for waiting, in events; and whether the story keeps everything.
CONFIG: Final = ("max_busy", "max_steps", "record", *KNOBS)
#: A worker that does not get to start was crashed by an explorer, which is no sign that the next one will not start.
LIMITS: Final = NodeLimits(max_failed_starts=1000)
#: What the clocks say in the beginning: some program may not like 0. The date is that of 2024 in UTC.
MONOTONIC: Final = 1000.0
EPOCH: Final = 1_704_067_200.0
#: How often a schedule that is drawn from a seed departs from the tame one, by what is decided.
ODDS: Final = {"next": 0.5, "delay": 0.1, "stall": 0.1, "preempt": 0.2}
#: Steps that the driver may wait before that counts as going round in circles.
MAX_STEPS: Final = 1_000_000
MAX_BUSY: Final = 30.0
#: Looks at the clock, or polls, after which time passes although nobody waits, and how much (seconds).
IMPATIENCE: Final = 50
BLINK: Final = 0.001
#: If less time (seconds) than this passes in so many events, it is made to pass: so much at first, so much at most,
#: which is less than what nodes wait for one another's heartbeats.
STILL: Final = 0.1
BUSY: Final = 500
HASTE: Final = 0.001
MOST_HASTE: Final = 0.5
#: Process numbers: no real process has one that large, and those of each node have their own range.
PIDS: Final = 5_000_000
PIDS_OF_NODE: Final = 10_000


class Simulation:
    """One simulated runtime, from `init` to `shutdown`.

    Whoever explores says what is chosen and what goes wrong (`steering`), else the seed does.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.variables = variables()
        self.quiet = None if settings.log_to_driver else Quiet()
        steering = present()
        self.steered = steering is not None
        if steering is not None:
            chooser, faults = steering.chooser, steering.faults
        else:
            chooser, faults = Seeded(settings.seed, ODDS) if settings.seed else Tame(), ()
        self.tame = isinstance(chooser, Tame)
        self.world = world = World(chooser, (), faults=faults)
        if steering is not None:
            steering.world = world
            if not settings.system_config.get("record"):
                world.tell = world.story.ignore
        world.careful = False
        world.story.only_ways = True
        if settings.system_config.get("record"):
            world.story.all = []
        world.make_worker = self._make_worker
        self.max_steps = int(settings.system_config.get("max_steps", MAX_STEPS))
        self.thread = get_ident()
        self.main = getcurrent()
        self.ended = False
        #: Ctrl-C came while another program than the driver's ran.
        self.ctrl_c: BaseException | None = None
        #: Seconds that a program may compute without giving way.
        self.max_busy = float(settings.system_config.get("max_busy", MAX_BUSY))
        #: Of actors: closed at the end, if they never came to run.
        self.loops: list[ActorLoop] = []
        self.looks = 0
        self.errors = Errors(steering is not None)
        self._looked_at = -1.0
        self._limit = 0
        self._look_at = min(self.max_steps, BUSY)
        self._then, self._haste = 0.0, HASTE
        self._hub = greenlet(self._run)
        self._nodes = 0
        for _ in range(settings.num_nodes or 1):
            self.add_node(settings)
        node = world.head
        process = UserProcess(self, worker_id(node, 0), node, b"", settings.namespace, PIDS, executes=False)
        world.processes[process.me] = process
        process.main = world.start(process, "main", MainProgram(process))  # type: ignore[arg-type] # as good as one
        process.main.wake = NEVER
        world.running = process.main
        self.driver = SimDriver(self, process)

    # --- processes and programs ---------------------------------------------------------------------------------------

    def add_node(self, settings: Settings) -> NodeHost:
        check_config(settings.system_config)
        number, self._nodes = self._nodes, self._nodes + 1
        pid = PIDS + PIDS_OF_NODE * (number + 1) - 1  # above its workers'
        store = settings.object_store_memory or STORE_MEMORY
        limits = configured(LIMITS, settings.system_config)
        me = f"node-{number:03}".encode()
        total = of_node(settings.resources, store, "127.0.0.1", number == 0)
        return self.world.add_node(me, total, limits, store, settings.labels, pid)

    def _make_worker(self, host: NodeHost, me: WorkerID, env: bytes) -> OwnerProcess:
        number = int.from_bytes(me[len(host.me) :], "big")
        pid = PIDS + PIDS_OF_NODE * int(host.me[-3:]) + number
        process = UserProcess(self, me, host.me, host.job, host.namespace, pid, executes=True)
        self.world.processes[me] = process
        worker = SimWorker(self, process, env)
        process.main = self.spawn(process, "main", worker.main)
        return process

    def spawn(self, process: UserProcess, name: str, run: Callable[[], object]) -> Fiber:
        """A new program of a process; it begins when the world gets to it."""
        program: Program[None] = Green(self._hub, process, run)  # type: ignore[assignment] # as good as one
        return self.world.start(process, name, program)

    def current(self) -> UserProcess | None:
        """The process whose program runs, if the caller is simulated; None for other threads, and after the end."""
        running = self.world.running
        if running is None or self.ended or get_ident() != self.thread:
            return None
        assert isinstance(running.client, UserProcess)
        return running.client

    def process_of(self, pid: int) -> UserProcess | NodeHost | None:
        """The worker or node that has this process number, dead or alive."""
        for process in self.world.processes.values():
            if isinstance(process, NodeHost):
                if process.pid == pid:
                    return process
            elif isinstance(process, UserProcess) and process.executes and process.pid == pid:
                return process
        return None

    # --- time ---------------------------------------------------------------------------------------------------------

    def monotonic(self) -> float:
        """What `time.monotonic` says to simulated code."""
        return MONOTONIC + self.world.now

    def date(self) -> float:
        """What `time.time` says to simulated code."""
        return EPOCH + self.world.now

    # --- giving way ---------------------------------------------------------------------------------------------------

    def until(self, deadline: float | None) -> Until:
        """To wait for something until a moment. Who only polls makes no time pass, but not for ever."""
        until = Until()
        if deadline is not None:
            until.deadline = deadline + GRAIN if deadline > self.world.now else self.look()
        return until

    def look(self) -> float:
        """The program looks at what there is without waiting: when it may go on."""
        now = self.world.now
        self.looks = self.looks + 1 if now == self._looked_at else 1
        self._looked_at = now
        return now if self.looks < IMPATIENCE else now + BLINK

    def switch(self, process: UserProcess, wants: Sleep | Until) -> None:
        """From a program of ``process``: let the world go on until the program has what it wants."""
        if get_ident() != self.thread:
            raise SimulationError(
                "a simulated runtime can only be used by the thread that called init(), and by what it starts there"
            )
        running = self.world.running
        if running is None or running.client is not process or getcurrent() is not running.program.greenlet:  # type: ignore[attr-defined]
            raise SimulationError("a greenlet that the program switches to itself cannot wait in a simulated runtime")
        if running is self.driver.host.main:
            self._limit = self.world.steps + self.max_steps
        self._hub.switch(wants)

    def preempt(self, process: UserProcess) -> None:
        """Let others go first, now and then."""
        if not self.tame and not self.ended and self.world.running is not None and self.world.pick("preempt", 2):
            process.suspend(Sleep(0))

    def _run(self, wants: Sleep | Until) -> None:
        """The hub's program: steps, for as long as the driver's program waits."""
        main = self.driver.host.main
        while True:
            self.world.running = None
            self.world.park(main, wants)
            try:
                self._step_on()
            except GreenletExit:
                return
            except BaseException as error:  # noqa: BLE001 - whatever it is, the driver's program is to know
                self.world.running = main
                enter(self.driver.host)
                wants = self.main.throw(error)

    def _step_on(self) -> None:
        world = self.world
        while True:
            world.step()
            if self.ctrl_c is not None:
                error, self.ctrl_c = self.ctrl_c, None
                raise error
            if world.now - world.progress > PATIENCE:
                stuck.check(self)
            if world.steps > self._look_at:
                self._look_around()

    def _look_around(self) -> None:
        """Every so many events: has the driver waited for too many? And does time (almost) stand still meanwhile?

        A loop that asks again and again without sleeping takes time, too: first hardly any, then ever more.
        """
        world = self.world
        if world.steps > self._limit:
            raise circles.livelock(self)
        if world.now - self._then >= STILL:
            self._haste = HASTE
        else:
            world.let_pass(self._haste)
            self._haste = min(2 * self._haste, MOST_HASTE)
        self._then = world.now
        self._look_at = min(self._limit, world.steps + BUSY)

    # --- the start and the end ----------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Bring the runtime up."""
        self.driver.register()

    def end(self) -> None:
        """Unwind every program; from the driver's own."""
        world = self.world
        fibers, world.fibers = world.fibers, []
        for process in world.processes.values():
            process.alive = False
        for fiber in fibers:
            world.close(fiber)
        self.driver.host.alive = self.ended = True
        threads.end_all(self)
        for loop in self.loops:
            if not loop.is_closed():
                loop.close()
        if not self._hub.dead:
            self._hub.parent = getcurrent()
            self._hub.throw(GreenletExit())
        world.running = None
        set_variables(self.variables)
        if self.quiet is not None:
            self.quiet.end()

    def warn(self, text: str) -> None:
        """Tell the user, on the driver's standard error."""
        from rustyray.runtime import logs

        away = self.quiet is not None and self.quiet.enter(worker=False)
        logs.warn(text)
        if away and self.quiet is not None:
            self.quiet.enter(worker=True)


def begin(settings: Settings) -> SimDriver:
    """Start a simulated runtime, and return its driver's engine."""
    check_config(settings.system_config)
    kept = stage.present()
    if kept is not None:
        kept.next()
    simulation = Simulation(settings)
    driver, here = simulation.driver, kept or stage.Stage()

    def end() -> None:
        here.leave()
        if kept is None:
            here.end()

    def on_stage(there: bool) -> None:
        if there:
            here.enter(simulation)
        else:
            here.leave()

    driver.on_end = end
    driver.on_stage = on_stage
    try:
        if kept is None:
            here.begin()
        here.enter(simulation)
        simulation.begin()
    except BaseException:
        end()
        raise
    return driver


def check_config(config: dict[str, Any]) -> None:
    """Refuse knobs that this engine does not have. Raises TypeError naming the nearest."""
    for name in config:
        if name not in CONFIG:
            raise TypeError(
                f"the sim engine has no setting {name!r}{hint(name, CONFIG)}. Valid ones are {', '.join(CONFIG)}."
            )
