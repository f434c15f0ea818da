#include "llama-forward.h"

#include <algorithm>
#include <string>
#include <vector>

#include "error.h"
#include "llama-batch.h"
#include "llama-observer.h"

namespace instructblip {
namespace {

// Rows [first, first + count) in graphs of bounded size; one of the two inputs is null. HF 4.34 counts hidden rows too.
void read_rows(LlamaContext& context, LlamaObserver& observer, int32_t first, int32_t count, const float* embeddings,
               const int32_t* tokens, const CancelToken& cancel) {
    const LlamaFacts& facts = context.facts();
    const auto most = static_cast<int32_t>(llama_n_batch(context.get()));
    for (int32_t done = 0; done < count; done += most) {
        const int32_t rows = std::min(most, count - done);
        LlamaBatch batch(rows);
        for (int32_t i = 0; i < rows; ++i) batch.set(i, first + done + i, 0, true);
        observer.begin(first + done);
        context.decode(batch.view(embeddings == nullptr ? nullptr : embeddings + done * facts.embedding_length,
                                  tokens == nullptr ? nullptr : tokens + done),
                       cancel);
        observer.rethrow();
        const float* const logits = llama_get_logits(context.get());
        observer.add_rows("language.logits", first + done, {logits, logits + rows * facts.vocabulary_size},
                          facts.vocabulary_size);
    }
}

}  // namespace

void forward(const LlamaContext& context, const Compute& compute, const ForwardInput& input, const CancelToken& cancel,
             Trace& trace) {
    check_forward_input(input, false);
    const LlamaFacts& facts = context.facts();
    check_tokens(input.tokens, facts.vocabulary_size);
    const int32_t soft_count = count_soft_tokens(input.soft_tokens, facts.embedding_length);
    const auto token_count = static_cast<int32_t>(input.tokens.size());
    const int32_t row_count = soft_count + token_count;
    if (row_count > facts.context_length) {
        throw ModelError("CONTEXT_LENGTH_EXCEEDED", "picture and prompt are " + std::to_string(row_count) +
                                                        " tokens, but the model was trained for " +
                                                        std::to_string(facts.context_length) + ": shorten the prompt");
    }
    const std::vector<int32_t> mask = whole_mask(soft_count, input.mask, token_count);
    if (mask.front() == 0) throw ModelError("OPTION_INVALID", "the first row must not be hidden: it would see nothing");
    LlamaObserver observer(trace, mask);
    observer.add_rows("llama.embeddings", 0, input.soft_tokens, facts.embedding_length);
    LlamaContext own(context, compute, row_count, LlamaObserver::on_tensor, &observer);
    if (soft_count > 0) read_rows(own, observer, 0, soft_count, input.soft_tokens.data(), nullptr, cancel);
    if (token_count > 0) read_rows(own, observer, soft_count, token_count, nullptr, input.tokens.data(), cancel);
    observer.deliver(trace);
}

}  // namespace instructblip
