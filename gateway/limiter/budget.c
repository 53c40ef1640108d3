#include "gateway/limiter/budget.h"

void budget_init(struct budget *budget, uint64_t limit)
{
	*budget = (struct budget){.limit = limit};
}

static bool is_back(const struct budget *budget, uint64_t used)
{
	return used < budget->limit - budget->limit / 10;
}

bool budget_look(struct budget *budget, uint64_t used, uint64_t now_ms)
{
	if (budget->limit == 0)
		return false;
	if (!budget->is_over && used > budget->limit) {
		budget->is_over = true;
		budget->over_since_ms = now_ms;
	} else if (budget->is_over && is_back(budget, used)) {
		budget->is_over = false;
	}
	return budget->is_over;
}
