"""LiteLLM's bags of settings: what of each there is here, as data; unknown keys are unknown."""

from pointsman.importing.notes import Fate

_JOURNAL = "the journal keeps every request; `pointsman report`, `trace` and /metrics read it"
_NO_CACHE = "no cache of answers yet"
_NO_STORE = "no database: keys and models are this file's, the journal is files"
_NO_REDIS = "nothing is shared between processes through Redis"
_NO_ADMIN = "no administration over the network: the file is the only source"
_NO_RULES = "no checks of content yet; `verify` and gates look at answers"
_FAILS = "one that fails is left alone by itself; see `breaker` of each deployment"
_ONCE = "other steps come first, then two retries; see `retries` of each deployment"
_LOG = "see `pointsman serve --log-level`"
_FORWARDED = "fields that are not known are forwarded untouched"

Table = dict[str, tuple[Fate, str]]

ROUTER: Table = {
    "routing_strategy": ("approximated", "replicas are tried in the order of the file"),
    "routing_strategy_args": ("none", "replicas are tried in the order of the file"),
    "num_retries": ("approximated", _ONCE),
    "max_retries": ("approximated", _ONCE),
    "retry_after": ("approximated", _ONCE),
    "retry_policy": ("approximated", _ONCE),
    "model_group_retry_policy": ("approximated", _ONCE),
    "max_fallbacks": ("approximated", "at most 16 fallbacks, within the request's time"),
    "allowed_fails": ("approximated", _FAILS),
    "allowed_fails_policy": ("approximated", _FAILS),
    "cooldown_time": ("approximated", _FAILS),
    "disable_cooldowns": ("none", _FAILS),
    "enable_pre_call_checks": ("none", "a rule of a route may read the request's length"),
    "enable_tag_filtering": ("none", "no routing by tags; a rule may read the request"),
    "tag_filtering_match_any": ("none", "no routing by tags; a rule may read the request"),
    "default_max_parallel_requests": ("approximated", "limits.concurrency of each deployment"),
    "default_litellm_params": ("none", "the client's to say: requests are forwarded as they come"),
    "default_priority": ("none", "no priorities: waiting is in order"),
    "cache_responses": ("none", _NO_CACHE),
    "cache_kwargs": ("none", _NO_CACHE),
    "caching_groups": ("none", _NO_CACHE),
    "client_ttl": ("none", "connections are kept for 30 s of idleness"),
    "debug_level": ("approximated", _LOG),
    "set_verbose": ("approximated", _LOG),
    "provider_budget_config": ("none", "no budgets yet"),
    "alerting_config": ("none", "no alerts yet"),
    "optional_pre_call_checks": ("none", "no affinity of prompts to replicas yet"),
    **dict.fromkeys(
        ("redis_host", "redis_port", "redis_password", "redis_url", "redis_db"),
        ("none", _NO_REDIS),
    ),
}

MODULE: Table = {
    "num_retries": ("approximated", _ONCE),
    "allowed_fails": ("approximated", _FAILS),
    "cooldown_time": ("approximated", _FAILS),
    "drop_params": ("approximated", _FORWARDED),
    "modify_params": ("none", _FORWARDED),
    "cache": ("none", _NO_CACHE),
    "cache_params": ("none", _NO_CACHE),
    "enable_caching_on_provider_specific_optional_params": ("none", _NO_CACHE),
    "turn_off_message_logging": ("approximated", "tasks.NAME.capture: digests"),
    "set_verbose": ("approximated", _LOG),
    "json_logs": ("none", _LOG),
    "guardrails": ("none", _NO_RULES),
    "enable_json_schema_validation": ("approximated", "tasks.NAME.verify: json_schema"),
    "force_ipv4": ("none", "a name's addresses are tried in turn"),
    "ssl_verify": ("none", "certificates are always checked"),
    "max_budget": ("none", "no budgets yet"),
    "budget_duration": ("none", "no budgets yet"),
    "max_parallel_requests": ("none", "limits.concurrency bounds each deployment"),
    "default_internal_user_params": ("none", _NO_ADMIN),
    "default_team_settings": ("none", _NO_ADMIN),
    "key_generation_settings": ("none", _NO_ADMIN),
    "upperbound_key_generate_params": ("none", _NO_ADMIN),
    "mcp_aliases": ("none", "no MCP gateway"),
    **dict.fromkeys(
        ("callbacks", "success_callback", "failure_callback", "service_callbacks",
         "langfuse_default_tags", "redact_user_api_key_info", "s3_callback_params",
         "datadog_params", "disable_end_user_cost_tracking", "prometheus_metrics_config"),
        ("approximated", _JOURNAL),
    ),
}  # fmt: skip

GENERAL: Table = {
    "global_max_parallel_requests": ("approximated", "server.max_connections"),
    "alerting": ("none", "no alerts yet"),
    "alerting_threshold": ("none", "no alerts yet"),
    "alert_types": ("none", "no alerts yet"),
    "alerting_args": ("none", "no alerts yet"),
    "alert_to_webhook_url": ("none", "no alerts yet"),
    "spend_report_frequency": ("none", "`pointsman report` when you ask for it"),
    "background_health_checks": ("none", "a deployment is not asked until a request needs it"),
    "health_check_interval": ("none", "a deployment is not asked until a request needs it"),
    "pass_through_endpoints": ("none", "no paths are passed through"),
    "custom_auth": ("none", "keys are this file's; no code of one's own at the door"),
    "enable_jwt_auth": ("none", "keys are this file's"),
    "litellm_jwtauth": ("none", "keys are this file's"),
    "allowed_routes": ("none", "the surfaces are those of the gateway"),
    "allowed_ips": ("none", "a firewall's work"),
    "forward_client_headers_to_llm_api": ("none", "headers of clients go no further"),
    "infer_model_from_keys": ("none", "only the models of the file"),
    "max_response_size_mb": ("approximated", "limits.max_answer_mb of each deployment"),
    **dict.fromkeys(
        ("database_url", "database_connection_pool_limit", "database_connection_timeout",
         "allow_requests_on_db_unavailable", "store_model_in_db", "disable_spend_logs",
         "disable_spend_updates", "store_prompts_in_spend_logs", "proxy_batch_write_at",
         "disable_prisma_schema_update", "maximum_spend_logs_retention_period",
         "maximum_spend_logs_retention_interval", "supported_db_objects",
         "disable_adding_master_key_hash_to_db", "disable_reset_budget",
         "user_api_key_cache_ttl", "proxy_budget_rescheduler_min_time",
         "proxy_budget_rescheduler_max_time"),
        ("none", _NO_STORE),
    ),
    **dict.fromkeys(
        ("ui_access_mode", "custom_sso", "default_team_disabled", "key_management_system",
         "key_management_settings", "use_google_kms", "use_azure_key_vault", "salt_key",
         "litellm_license", "disable_master_key_return"),
        ("none", _NO_ADMIN),
    ),
}  # fmt: skip

TOP: Table = {
    "guardrails": ("none", _NO_RULES),
    "environment_variables": ("moved", "set them where the gateway runs: no file sets variables"),
    "callback_settings": ("approximated", _JOURNAL),
    "mcp_servers": ("none", "no MCP gateway"),
    "mcp_tools": ("none", "no MCP gateway"),
    "vector_store_registry": ("none", "no stores of vectors"),
    "vector_stores": ("none", "no stores of vectors"),
    "assistant_settings": ("none", "no assistants"),
    "files_settings": ("none", "no files"),
    "finetune_settings": ("none", "no fine-tuning"),
    "search_tools": ("none", "no tools of its own"),
    "prompts": ("none", "write them under `prompts`, with versions and labels"),
    "policies": ("none", _NO_RULES),
    "include": ("none", "import each of these files, and list ours under `include`"),
}
