#include "gateway/auth/refusal.h"

const struct refusal_facts refusals[] = {
#define REFUSAL(id, metric, sentence) [REFUSAL_##id] = {sentence, METRIC_CREDENTIALS_##metric},
    REFUSALS
#undef REFUSAL
};
