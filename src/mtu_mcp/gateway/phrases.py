"""What gateways say when something goes wrong, as they word it: codes in small letters with underscores, sentences as they come.

Each pattern is one meaning; which comes before which is decided in `failures`. A phrase is here because somebody's server
says it: OpenAI, Model Studio, New API, One API, LiteLLM, vLLM, llama.cpp, llama-cpp-python, transformers, Jina, Azure.
"""

import re
from typing import Final

FILTERED: Final = re.compile(
    r"content[_ ]?(filter|policy)|data_?inspection|sensitive_words|prompt_blocked|moderation_blocked"
    r"|responsible_?ai|content_violation|image_generation_user_error_safety"
)
# Where a relay keeps the words and loses the code: LiteLLM, Model Studio behind it, Azure, OpenAI.
FILTERED_WORDS: Final = re.compile(
    r"inappropriate content|ContentPolicyViolation|content (management|safety|usage) polic|safety system|内容安全",
    re.IGNORECASE,
)
QUOTA: Final = re.compile(
    r"insufficient_(user_)?(quota|balance|credit)|arrearage|pre_consume_token_quota_failed|billing_|quota_exceeded"
    r"|quota_exhausted|balance_not_enough|out_of_credits|payment_required|account_overdue"
    r"|budget_?exceeded|exceeded_?budget"
)
NO_MODEL: Final = re.compile(
    r"model_?not_?(found|exist|supported)|get_channel_failed|no_available_key|invalid_model|unknown_model"
)
BUSY: Final = re.compile(r"rate_?limit|limit_requests|limit_burst|throttl|too_many_requests|overloaded|server_busy")
KEY: Final = re.compile(
    r"invalid_?api_?key|authentication|unauthorized|invalid_token|token_expired|invalid_iam"
    # LiteLLM: a key that is not its master key, where it has no database of keys, and what such a database says.
    r"|no_db_connection|token_not_found|expired_key|auth_error"
)
LACKING: Final = re.compile(r"api_not_implemented|not_implemented|unsupported_endpoint|invalid_url")
INVALID: Final = re.compile(
    r"invalid_request|invalid_?parameter|bad_request|context_length|unsupported_(parameter|value)|missing_required"
    r"|unknown_parameter|above_max|below_min|validation|convert_request_failed|param_override"
)
KEY_WORDS: Final = re.compile(
    r"api[ _-]?key (is )?(not valid|invalid|incorrect|wrong)|(invalid|incorrect|wrong) api[ _-]?key"
    # New API and One API, often under 200: not signed in, no or a bad token, a token that ended, a user shut out.
    r"|not (logged|signed) in|(log|sign) ?in required|no access[ _-]?token|access[ _-]?token (is )?invalid"
    r"|未登录|未提供 ?(access token|令牌)|无权进行此操作|无效的? ?(令牌|access token)|access token 无效"
    r"|令牌(已过期|状态不可用|无效)|用户已被封禁",
    re.IGNORECASE,
)
QUOTA_WORDS: Final = re.compile(
    r"额度(已?用尽|不足)|余额不足|insufficient (user )?(quota|balance|credits?)", re.IGNORECASE
)
NO_MODEL_WORDS: Final = re.compile(
    r"model\b.{0,120}?(does not exist|do not exist|not exist|not found|is not supported by any|no access to)"
    r"|no available channel|可用渠道不存在|无可用渠道|模型不存在|invalid model name|unknown model|no such model|^server is pinned to",
    re.IGNORECASE | re.DOTALL,
)
LACKING_WORDS: Final = re.compile(
    r"^invalid url|not implemented|^not found\.?$|^404|page not found|cannot (post|get) |no route|unknown (path|url|endpoint)"
    r"|unknown request url|^resource not found|method not allowed|^no static resource",
    re.IGNORECASE,
)
# llama.cpp's words for a path it does not have, in its own capitals: a file that is missing is told otherwise.
NO_PATH: Final = "File Not Found"
# LiteLLM's, where nobody set up what is behind the path.
UNSET_WORDS: Final = re.compile(r"files_settings is not set|custom_llm_provider.{0,3} must be set", re.IGNORECASE)
# A model that takes text alone, in the words of llama.cpp, vLLM, OpenAI, DeepSeek and OpenRouter.
TEXT_ONLY_WORDS: Final = re.compile(
    r"\b(image|audio|video)( input|_url)?s? (is|are) (not|only) supported|input_audio is not supported"
    r"|does(n't| not) support (image|audio|video|vision|multimodal)|not a multimodal model"
    r"|at most 0 (image|audio|video)|unknown variant `?(image_url|input_audio|video_url)"
    r"|no endpoints found that support (image|audio|video)",
    re.IGNORECASE,
)
TOO_LONG_WORDS: Final = re.compile(
    r"context[ _]?(size|length|window)|exceed_context|contextwindow|maximum context|prompt is too long", re.IGNORECASE
)
INVALID_WORDS: Final = re.compile(
    r"\bis required\b|\bare required\b|\bis invalid$|^invalid |must (be|contain) |^\d+ validation errors?\b",
    re.IGNORECASE,
)
MESSAGE: Final = re.compile(r'"(?:message|detail|msg)"\s*:\s*"((?:[^"\\]|\\.){1,2000})')
