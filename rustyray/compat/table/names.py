"""The public names of Ray 2.60's core, as it lists them itself; ``docs/ray_api.py --ray`` compares them with a Ray."""

from __future__ import annotations

from typing import Final

#: Modules, and what they have; of kinds of accelerators a few.
MODULES: Final[dict[str, str]] = {
    "ray": (
        "ActorClassID ActorID ClientBuilder DynamicObjectRefGenerator FunctionID JobID Language LoggingConfig "
        "NodeID ObjectID ObjectRef ObjectRefGenerator PlacementGroupID SCRIPT_MODE TaskID UniqueID "
        "WORKER_MODE WorkerID __version__ _config actor autoscaler available_resources cancel client "
        "cluster_resources cpp_function data get get_actor get_gpu_ids get_runtime_context init internal "
        "is_initialized java_actor_class java_function kill method nodes put remote shutdown timeline util "
        "wait widgets workflow"
    ),
    "ray.autoscaler.sdk": ("request_resources"),
    "ray.actor": ("ActorClass ActorClassInheritanceException ActorHandle ActorMethod exit_actor method"),
    "ray.cluster_utils": ("AutoscalingCluster Cluster"),
    "ray.dag": (
        "BIND_INDEX_KEY COLLECTIVE_OPERATION_KEY ClassMethodNode ClassNode CollectiveOutputNode DAGContext "
        "DAGInputData DAGNODE_TYPE_KEY DAGNode DAGOperationFuture FunctionNode GPUFuture "
        "IS_CLASS_METHOD_OUTPUT_KEY InputAttributeNode InputNode MultiOutputNode PARENT_CLASS_NODE_KEY "
        "PREV_CLASS_METHOD_CALL_KEY plot"
    ),
    "ray.exceptions": (
        "ActorAlreadyExistsError ActorDiedError ActorHandleNotFoundError ActorPlacementGroupRemoved "
        "ActorUnavailableError ActorUnschedulableError AsyncioActorExit AuthenticationError "
        "CrossLanguageError GetTimeoutError LocalRayletDiedError NodeDiedError ObjectFetchTimedOutError "
        "ObjectFreedError ObjectLostError ObjectReconstructionFailedError ObjectRefStreamEndOfStreamError "
        "ObjectStoreFullError OufOfBandObjectRefSerializationException OutOfDiskError OutOfMemoryError "
        "OwnerDiedError PendingCallsLimitExceeded PlasmaObjectNotAvailable RayActorError "
        "RayCgraphCapacityExceeded RayChannelError RayChannelTimeoutError RayDirectTransportError RayError "
        "RaySystemError RayTaskError ReferenceCountingAssertionError RpcError RuntimeEnvSetupError "
        "StreamingGeneratorReplayInconsistentError TaskCancelledError TaskPlacementGroupRemoved "
        "TaskUnschedulableError UnserializableException UserCodeException WorkerCrashedError"
    ),
    "ray.experimental": (
        "CommunicatorMetadata RDTManager TensorTransportManager TensorTransportMetadata "
        "deregister_nixl_memory get_local_object_locations get_object_locations register_nixl_memory "
        "register_nixl_memory_pool register_tensor_transport set_nixl_cuda_stream set_resource "
        "set_target_device_for_ref set_target_for_ref wait_tensor_freed"
    ),
    "ray.experimental.internal_kv": (
        "_internal_kv_del _internal_kv_exists _internal_kv_get _internal_kv_list _internal_kv_put"
    ),
    "ray.experimental.tqdm_ray": ("instance safe_print tqdm"),
    "ray.job_config": ("JobConfig"),
    "ray.remote_function": ("RemoteFunction"),
    "ray.runtime_context": ("RuntimeContext get_runtime_context"),
    "ray.runtime_env": ("RuntimeEnv RuntimeEnvConfig"),
    "ray.types": ("ObjectRef"),
    "ray.util": (
        "ActorPool accelerators as_completed collective connect deregister_serializer "
        "disable_log_once_globally disconnect enable_periodic_logging get_current_placement_group "
        "get_node_instance_id get_node_ip_address get_placement_group inspect_serializability iter "
        "list_named_actors log_once map_unordered pdb placement_group placement_group_table ray_debugpy "
        "register_serializer remove_placement_group"
    ),
    "ray.util.accelerators": ("tpu NVIDIA_A100 NVIDIA_H100 NVIDIA_L4 AWS_NEURON_CORE INTEL_GAUDI"),
    "ray.util.dask": (
        "ProgressBarCallback RayDaskCallback dataframe_optimize disable_dask_on_ray enable_dask_on_ray "
        "local_ray_callbacks ray_dask_get ray_dask_get_sync ray_dask_persist unpack_ray_callbacks"
    ),
    "ray.util.tracing.setup_local_tmp_tracing": ("setup_tracing spans_dir"),
    "ray.util.actor_group": ("ActorConfig ActorGroup ActorGroupMethod ActorWrapper"),
    "ray.util.actor_pool": ("ActorPool"),
    "ray.util.annotations": ("AnnotationType Deprecated DeveloperAPI PublicAPI RayDeprecationWarning"),
    "ray.util.check_serialize": ("FailureTuple inspect_serializability"),
    "ray.util.collective": (
        "allgather allgather_multigpu allreduce allreduce_multigpu barrier broadcast broadcast_multigpu "
        "create_collective_group destroy_collective_group get_collective_group_size get_group_handle get_rank "
        "gloo_available init_collective_group is_backend_available is_group_initialized nccl_available recv "
        "recv_multigpu reduce reduce_multigpu reducescatter reducescatter_multigpu "
        "register_collective_backend send send_multigpu"
    ),
    "ray.util.debug": ("Suspect disable_log_once_globally enable_periodic_logging log_once reset_log_once"),
    "ray.util.debugpy": ("set_trace"),
    "ray.util.iter": (
        "LocalIterator ParallelIterator ParallelIteratorWorker from_actors from_items from_iterators from_range"
    ),
    "ray.util.joblib": ("register_ray"),
    "ray.util.metrics": ("Counter Gauge Histogram"),
    "ray.util.multiprocessing": ("JoinableQueue Pool TimeoutError"),
    "ray.util.placement_group": (
        "PlacementGroup check_placement_group_index get_current_placement_group get_placement_group "
        "placement_group placement_group_table remove_placement_group validate_placement_group"
    ),
    "ray.util.queue": ("Empty Full Queue"),
    "ray.util.rpdb": ("set_trace"),
    "ray.util.scheduling_strategies": (
        "DoesNotExist Exists In NodeAffinitySchedulingStrategy NodeLabelSchedulingStrategy NotIn "
        "PlacementGroupSchedulingStrategy"
    ),
    "ray.util.serialization": ("StandaloneSerializationContext deregister_serializer register_serializer"),
    "ray.util.spark": ("MAX_NUM_WORKER_NODES setup_global_ray_cluster setup_ray_cluster shutdown_ray_cluster"),
    "ray.util.state": (
        "StateApiClient get_actor get_job get_log get_node get_objects get_placement_group get_task "
        "get_worker list_actors list_cluster_events list_jobs list_logs list_nodes list_objects "
        "list_placement_groups list_runtime_envs list_tasks list_workers summarize_actors summarize_objects "
        "summarize_tasks"
    ),
    "ray.util.client": ("RayAPIStub num_connected_contexts"),
    "ray.util.tpu": (
        "SlicePlacementGroup SubslicePlacementGroup dispatch get_current_pod_name "
        "get_current_pod_worker_count get_num_ready_tpu_slices get_num_tpu_chips_on_node get_num_tpu_slices "
        "get_tpu_coordinator_env_vars get_tpu_nodes_for_slice get_tpu_num_slices_for_workers "
        "get_tpu_slice_name_from_node get_tpu_version_from_type get_tpu_worker_resources init_jax_profiler "
        "run_on_slice slice_placement_group subslice_placement_group"
    ),
    "ray.cloudpickle": ("dump dumps load loads"),
    "ray.job_submission": ("DriverInfo JobDetails JobErrorType JobInfo JobStatus JobSubmissionClient JobType"),
}
#: Classes, and their methods and attributes.
CLASSES: Final[dict[str, str]] = {
    "ray.runtime_context.RuntimeContext": (
        "actor_id current_actor current_placement_group_id gcs_address get_accelerator_ids get_actor_id "
        "get_actor_name get_assigned_resources get_job_id get_node_id get_node_labels get_placement_group_id "
        "get_resource_ids get_runtime_env_string get_session_name get_task_function_name get_task_id "
        "get_task_name get_temp_dir get_worker_id is_canceled job_id namespace node_id runtime_env "
        "should_capture_child_tasks_in_placement_group task_id was_current_actor_reconstructed"
    ),
    "ray.ObjectRef": (
        "as_future binary call_site from_binary from_hex from_random future hex is_nil job_id nil "
        "owner_address redis_shard_hash size task_id tensor_transport"
    ),
    "ray.ObjectRefGenerator": ("aclose asend athrow close completed is_finished next_ready send throw"),
    "ray.cluster_utils.Cluster": (
        "add_node address connect gcs_address list_all_nodes remaining_processes_alive remove_node shutdown "
        "wait_for_nodes"
    ),
    "ray.runtime_env.RuntimeEnv": (
        "conda_config conda_env_name conda_uri deserialize env_vars extensions_fields get_extension has_conda "
        "has_pip has_py_container has_uv has_working_dir image_uri java_jars known_fields nsight pip_config "
        "pip_uri plugin_uris plugins py_container_image py_container_run_options py_container_worker_path "
        "py_executable py_modules py_modules_uris rocprof_sys serialize set to_dict uv_config uv_uri "
        "virtualenv_name working_dir working_dir_uri"
    ),
    "ray.job_config.JobConfig": (
        "ensure_logging_config from_json set_default_actor_lifetime set_metadata set_py_logging_config "
        "set_ray_namespace set_runtime_env"
    ),
    "ray.util.ActorPool": ("get_next get_next_unordered has_free has_next map map_unordered pop_idle push submit"),
    "ray.util.queue.Queue": (
        "empty full get_async get_nowait get_nowait_batch put put_async put_nowait put_nowait_batch qsize shutdown size"
    ),
    "ray.util.placement_group.PlacementGroup": ("bundle_count bundle_specs empty is_empty ready wait"),
    "ray.remote_function.RemoteFunction": ("bind options"),
    "ray.actor.ActorClass": ("bind options remote"),
    "ray.util.multiprocessing.Pool": (
        "apply apply_async close imap imap_unordered join map map_async starmap starmap_async terminate"
    ),
}
#: Options of tasks.
TASK: Final = (
    "_generator_backpressure_num_objects _labels _num_objects_per_yield accelerator_type "
    "enable_task_events fallback_strategy label_selector max_calls max_retries memory name num_cpus "
    "num_gpus num_returns object_store_memory placement_group placement_group_bundle_index "
    "placement_group_capture_child_tasks resources retry_exceptions runtime_env scheduling_strategy"
)
#: Options of actors.
ACTOR: Final = (
    "_actor_generator_backpressure_num_objects _labels accelerator_type allow_out_of_order_execution "
    "concurrency_groups enable_task_events enable_tensor_transport fallback_strategy get_if_exists "
    "label_selector lifetime max_concurrency max_pending_calls max_restarts max_task_retries memory name "
    "namespace num_cpus num_gpus object_store_memory placement_group placement_group_bundle_index "
    "placement_group_capture_child_tasks resources runtime_env scheduling_strategy"
)
#: Options of ``ray.init``.
INIT: Final = (
    "address num_cpus num_gpus resources labels object_store_memory local_mode ignore_reinit_error "
    "include_dashboard dashboard_host dashboard_port job_config configure_logging logging_level "
    "logging_format logging_config log_to_driver namespace runtime_env enable_resource_isolation "
    "cgroup_path system_reserved_cpu system_reserved_memory proxy_server_url"
)
#: Commands of ``ray``.
COMMANDS: Final = (
    "attach check-open-ports cluster-dump cpp dashboard debug disable-usage-stats down drain-node "
    "enable-usage-stats exec get get-auth-token get-head-ip get-worker-ips global-gc health-check job "
    "kill-actor kill-random-node kuberay-autoscaler list local-dump logs memory metrics microbenchmark "
    "monitor rsync-down rsync-up sanity-check stack start status stop submit summary symmetric-run "
    "timeline up"
)
