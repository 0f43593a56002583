"""Keys of homodyne's configurations, and what becomes of each here."""

from typing import Any

USED, SILENT, IDLE, LAYER = "used", "silent", "idle", "layer"
"""Read; says nothing to a computer; accepted without a meaning here; a layer of theirs
against the degeneracy of contrast and physics."""

Tree = dict[str, Any]


def _keys(used: str = "", silent: str = "", idle: str = "", **sections: Tree) -> Tree:
    named = ((used, USED), (silent, SILENT), (idle, IDLE))
    out: Tree = {key: kind for text, kind in named for key in text.split()}
    return {**out, **sections}


_LAYERS = ("hierarchical", "regularization", "gradient_monitoring", "shear_weighting")
_SAMPLER = "num_warmup num_samples num_chains target_accept_prob"
_CMAES = (
    "preset max_generations sigma sigma_warmstart warmstart_auto_skip popsize tol_fun "
    "warmstart_skip_threshold tol_x restart_strategy max_restarts data_chunk_size "
    "population_batch_size memory_limit_gb auto_select scale_threshold normalize "
    "normalization_epsilon refine_with_nlsq refinement_workflow refinement_ftol "
    "refinement_xtol refinement_gtol refinement_max_nfev refinement_loss"
)
_NLSQ = _keys(
    used="loss",
    idle="max_iterations tolerance ftol xtol gtol x_scale x_scale_map verbose goal "
    "trust_region_scale memory_fraction memory_threshold_gb workflow progress "
    "diagnostics hybrid_streaming recovery quality_validation",
    multi_start=_keys(
        used="enable n_starts seed",
        idle="sampling_strategy n_workers use_screening screen_keep_fraction "
        "refine_top_k refinement_ftol degeneracy_threshold",
    ),
    cmaes=_keys(used="enable", idle=_CMAES),
    anti_degeneracy={
        **_keys(
            used="enable per_angle_mode constant_scaling_threshold",
            idle="fourier_order fourier_auto_threshold",
        ),
        **dict.fromkeys(_LAYERS, LAYER),
    },
)
_CMC = _keys(
    used="enable per_angle_mode",
    idle="min_points_for_cmc run_id constant_scaling_threshold prior_tempering backend "
    "backend_config per_shard_timeout heartbeat_timeout combination validation "
    "initialization reparameterization",
    sharding=_keys(
        used="num_shards",
        idle="strategy max_points_per_shard min_points_per_shard min_points_per_param "
        "seed_base",
    ),
    per_shard_mcmc=_keys(
        used=_SAMPLER,
        idle="max_tree_depth chain_method adaptive_sampling min_warmup min_samples "
        "jax_profile_dir enable_jax_profiling subsample_size",
    ),
)
KEYS = _keys(
    used="analysis_mode",
    silent="metadata config_version analysis_settings",
    idle="noise_estimation performance logging quality_control plotting validation",
    analyzer_parameters=_keys(
        used="dt start_frame end_frame",
        scattering=_keys(used="wavevector_q"),
        geometry=_keys(used="stator_rotor_gap"),
    ),
    experimental_data=_keys(
        used="file_path data_folder_path data_file_name cache_file_path "
        "cache_filename_template cache_compression",
        idle="phi_angles_path phi_angles_file data_type file_format exchange_key",
    ),
    phi_filtering=_keys(
        used="enabled target_ranges fallback_to_all_angles",
        idle="algorithm tolerance quality_control",
    ),
    initial_parameters=_keys(
        used="parameter_names values active_parameters fixed_parameters",
        silent="units",
        per_angle_scaling=_keys(idle="contrast offset"),
    ),
    parameter_space=_keys(used="bounds priors", silent="model"),
    optimization=_keys(
        used="method",
        idle="streaming stratification sequential recovery angle_filtering vi hybrid",
        nlsq=_NLSQ,
        mcmc=_keys(
            used=_SAMPLER,
            idle="max_tree_depth max_treedepth dense_mass_matrix backend progress_bar "
            "initial_values enabled adaptation_window step_size_adaptation "
            "mass_matrix_adaptation",
        ),
        cmc=_CMC,
    ),
    output=_keys(
        used="directory base_directory",
        idle="formats create_subdirs timestamp_dirs compress_hdf5 compression_level "
        "plots reports",
    ),
)

FLAT = {
    "data_file": ("experimental_data", "file_path"),
    "dt": ("analyzer_parameters", "dt"),
    "start_frame": ("analyzer_parameters", "start_frame"),
    "end_frame": ("analyzer_parameters", "end_frame"),
    "wavevector_q": ("analyzer_parameters", "scattering", "wavevector_q"),
    "stator_rotor_gap": ("analyzer_parameters", "geometry", "stator_rotor_gap"),
}
"""Keys of the flat form and their places."""

BOUND = (
    "name", "min", "max", "prior_mu", "prior_sigma", "type", "unit", "description",
)  # fmt: skip
BOUND_TYPES = ("TruncatedNormal", "Normal", "Uniform")
