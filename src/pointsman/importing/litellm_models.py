"""One entry of LiteLLM's `model_list` as one deployment of ours."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pointsman.config.emitting import Verbatim
from pointsman.importing.litellm_providers import OTHERS, UPSTREAMS, Upstream, split_model
from pointsman.importing.notes import Fate, Notes, Reader
from pointsman.importing.values import (
    Secrets,
    is_no_key,
    reference,
    seconds,
    usd_per_mtok,
    variable_of,
    whole,
)

_ADDRESS = re.compile(r"https?://[A-Za-z0-9.\-_\[\]:]+(/[^\s?#@]*)?", re.ASCII)
_CLIENTS = "the client's to say: requests are forwarded as they come"
_RETRIES = "other steps come first, then two retries; see `retries` of the deployment"
_PARAMS: dict[str, tuple[Fate, str]] = {
    "rpm": ("none", "no limit by requests per minute yet; limits.concurrency bounds them at once"),
    "tpm": ("none", "no limit by tokens per minute yet"),
    "weight": ("none", "replicas are not weighted: they are tried in order"),
    "order": ("none", "replicas are tried in the order of the file"),
    "max_retries": ("approximated", _RETRIES),
    "num_retries": ("approximated", _RETRIES),
    "drop_params": ("none", "fields that are not known are forwarded untouched"),
    "additional_drop_params": ("none", "fields that are not known are forwarded untouched"),
    "extra_headers": ("none", "no headers of one's own towards an engine"),
    "headers": ("none", "no headers of one's own towards an engine"),
    "organization": ("none", "no header for an organisation"),
    "api_version": ("none", "a version of the address belongs into base_url"),
    "tags": ("none", "no routing by tags; a rule of a route may read the request"),
    "region_name": ("none", "information only"),
    "use_in_pass_through": ("none", "no paths are passed through"),
    "merge_reasoning_content_in_choices": ("none", "reasoning is forwarded as it comes"),
    "mock_response": ("none", "no invented answers; see pointsman.testing"),
    "cooldown_time": ("none", "no setting: a deployment that fails is passed over by itself"),
    "input_cost_per_second": ("none", "prices are by token"),
    "output_cost_per_second": ("none", "prices are by token"),
    **dict.fromkeys(
        ("temperature", "top_p", "top_k", "seed", "stop", "presence_penalty", "user", "stream",
         "frequency_penalty", "response_format", "tools", "logit_bias", "reasoning_effort"),
        ("none", _CLIENTS),
    ),
}  # fmt: skip
_INFORMATION = "information only"
_INFO: dict[str, tuple[Fate, str]] = {
    "max_input_tokens": ("none", "no bound by the prompt's length"),
    "base_model": ("none", "it chose a price there; write `price`"),
    "access_groups": ("none", "keys name the tasks they may ask"),
    "health_check_model": ("none", "a deployment is not asked until a request needs it"),
    **dict.fromkeys(
        ("id", "description", "version", "metadata", "litellm_provider", "team_id", "created_at",
         "updated_at", "supports_vision", "supports_function_calling", "supports_tool_choice",
         "supports_response_schema", "supports_reasoning", "supports_prompt_caching",
         "supports_audio_input", "supports_parallel_function_calling", "tier", "db_model"),
        ("none", _INFORMATION),
    ),
}  # fmt: skip


@dataclass
class Entry:
    """What one entry became."""

    group: str  # `model_name`, as clients say it
    path: str
    model: str
    data: dict[str, Any] = field(default_factory=dict)  # the deployment, as the file says it
    has_timeout: bool = False
    has_concurrency: bool = False


class EntryReader:
    """Reads entries; what every one of them shares is given once."""

    def __init__(
        self, credentials: Mapping[str, Mapping[str, Any]], secrets: Secrets, notes: Notes
    ) -> None:
        self._credentials = credentials
        self._secrets = secrets
        self._notes = notes

    def read(self, value: Any, path: str) -> Entry | None:
        """The deployment, or None where there is none; the notes say why."""
        outer = Reader(value, path, self._notes)
        group = outer.text("model_name")
        params = Reader(self._with_credential(outer.take("litellm_params"), path),
                        f"{path}.litellm_params", self._notes)  # fmt: skip
        info = Reader(outer.take("model_info"), f"{path}.model_info", self._notes)
        outer.leave({})
        model = params.text("model")
        if not group or not model:
            self._notes.none(path, "an entry without model_name and litellm_params.model")
            return None
        if "*" in group or "*" in model:
            said = "no wildcards: each model that may be asked for is a deployment with a name"
            self._notes.none(path, said)
            return None
        mode = info.text("mode")
        if mode not in (None, "chat", "completion", "responses"):
            self._notes.none(f"{path}.model_info.mode", f"only chat is served, not {mode}")
            return None
        entry = self._entry(group, model, params, path)
        if entry is not None:
            self._prices(entry, params, info)
            self._limits(entry, params, info)
            params.leave(_PARAMS)
            info.leave(_INFO)
        return entry

    def _with_credential(self, params: Any, path: str) -> Any:
        """The parameters with what `litellm_credential_name` stands for filled in."""
        if not isinstance(params, dict) or "litellm_credential_name" not in params:
            return params
        name = params["litellm_credential_name"]
        left = {key: each for key, each in params.items() if key != "litellm_credential_name"}
        known = self._credentials.get(str(name))
        if known is None:
            where = f"{path}.litellm_params.litellm_credential_name"
            self._notes.none(where, "no such entry in credential_list")
            return left
        return {**known, **left}

    def _entry(self, group: str, model: str, params: Reader, path: str) -> Entry | None:
        provider, name = split_model(model, params.text("custom_llm_provider"))
        where = params.at("model")
        base_key = "api_base" if (base := params.text("api_base")) else "base_url"
        base = base or params.text("base_url")
        if not provider and base:
            provider = "openai"
            self._notes.approximated(where, "no known prefix: taken as an OpenAI-compatible server")
        upstream = UPSTREAMS.get(provider)
        if upstream is None:
            kind = f"{provider!r}" if provider in OTHERS else "a provider that is not known here"
            self._notes.none(where, f"{kind}: only servers of the OpenAI protocol are asked")
            return None
        if provider in ("ollama", "ollama_chat"):
            self._notes.approximated(where, "asked over Ollama's OpenAI surface, not its own")
        url = self._base_url(upstream, base, params.at(base_key), where)
        if url is None:
            return None
        entry = Entry(group=group, path=path, model=name)
        entry.data = {"model": name, "base_url": url}
        if "@" in name:
            entry.data["served_name"] = name
        if upstream.engine != "openai":
            entry.data["engine"] = upstream.engine
        key = self._key(upstream, params, group, has_base=base is not None)
        if key is not None:
            entry.data["api_key"] = key
        if not upstream.logprobs:
            entry.data["logprobs"] = False
        return entry

    def _base_url(
        self, upstream: Upstream, base: str | None, path: str, model: str
    ) -> str | Verbatim | None:
        if base is None:
            if upstream.base_url is None:
                self._notes.none(model, "without api_base there is no server to ask")
            elif upstream.local:
                self._notes.approximated(model, f"api_base is taken as {upstream.base_url}")
            return upstream.base_url
        end = "/v1" if upstream.versioned and not base.rstrip("/").endswith("/v1") else ""
        name = variable_of(base)
        if name is not None:
            if end:
                self._notes.approximated(path, f"the variable {name} holds the address without /v1")
            return Verbatim(f"{reference(name)}{end}")
        if not _ADDRESS.fullmatch(base):
            self._notes.none(path, "not an address that can be kept: http(s)://HOST[:PORT]/PATH")
            return None
        return base.rstrip("/") + end

    def _key(
        self, upstream: Upstream, params: Reader, group: str, *, has_base: bool
    ) -> Verbatim | None:
        said = params.text("api_key")
        if said is not None:
            if is_no_key(said):
                return None
            where = params.at("api_key")
            return self._secrets.reference(said, path=where, wanted=f"KEY_OF_{group}")
        if upstream.variable is None or upstream.local or has_base:
            return None
        where = params.at("api_key")
        self._notes.moved(where, f"not in the file: read from the variable {upstream.variable}")
        return reference(upstream.variable)

    def _prices(self, entry: Entry, params: Reader, info: Reader) -> None:
        names = {
            "input_cost_per_token": "input_usd_per_mtok",
            "output_cost_per_token": "output_usd_per_mtok",
            "cache_read_input_token_cost": "cached_input_usd_per_mtok",
        }
        price = {}
        for theirs, ours in names.items():
            for reader in (params, info):
                value = reader.take(theirs)
                if value is None or ours in price:
                    continue
                found = usd_per_mtok(value, path=reader.at(theirs), notes=self._notes)
                if found is not None:
                    price[ours] = found
        if not price:
            return
        for theirs, ours in list(names.items())[:2]:
            if ours not in price:
                self._notes.approximated(params.at(theirs), "not in the file: taken as 0")
                price[ours] = type(next(iter(price.values())))(0)
        entry.data["price"] = {ours: price[ours] for ours in names.values() if ours in price}

    def _limits(self, entry: Entry, params: Reader, info: Reader) -> None:
        limits: dict[str, Any] = {}
        if (value := params.take("max_parallel_requests")) is not None:
            where = params.at("max_parallel_requests")
            limits["concurrency"] = whole(value, path=where, notes=self._notes)
        for theirs, ours in (("stream_timeout", "first_token_timeout_s"), ("timeout", "timeout_s")):
            value = params.take(theirs)
            if value is None or (isinstance(value, str) and variable_of(value)):
                if value is not None:
                    limits[ours] = reference(str(variable_of(value)))
                continue
            limits[ours] = seconds(value, path=params.at(theirs), notes=self._notes)
            if theirs == "stream_timeout":
                said = "taken as the wait for the first byte of an answer"
                self._notes.approximated(params.at(theirs), said)
        for reader, key in ((params, "max_tokens"), (params, "max_completion_tokens"),
                            (info, "max_output_tokens"), (info, "max_tokens")):  # fmt: skip
            value = reader.take(key)
            if value is None or limits.get("max_output_tokens"):
                continue
            found = whole(value, path=reader.at(key), notes=self._notes)
            if found is not None:
                limits["max_output_tokens"] = found
                self._notes.approximated(reader.at(key), "a bound on the answer, not a default")
        kept = {key: value for key, value in limits.items() if value is not None}
        entry.has_timeout = "timeout_s" in kept
        entry.has_concurrency = "concurrency" in kept
        if kept:
            entry.data["limits"] = kept
