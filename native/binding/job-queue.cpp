#include "job-queue.h"

#include <utility>

namespace instructblip {

bool JobQueue::push(std::function<void()> job) {
    {
        const std::lock_guard<std::mutex> lock(mutex_);
        if (stopped_) return false;
        if (!thread_.joinable()) thread_ = std::thread([this] { run(); });
        jobs_.push_back(std::move(job));
    }
    changed_.notify_one();
    return true;
}

void JobQueue::stop() {
    std::deque<std::function<void()>> dropped;
    std::thread thread;
    {
        const std::lock_guard<std::mutex> lock(mutex_);
        stopped_ = true;
        dropped.swap(jobs_);
        thread.swap(thread_);
    }
    changed_.notify_one();
    if (thread.joinable()) thread.join();
}

void JobQueue::run() {
    for (;;) {
        std::function<void()> job;
        {
            std::unique_lock<std::mutex> lock(mutex_);
            changed_.wait(lock, [this] { return stopped_ || !jobs_.empty(); });
            if (stopped_) return;
            job = std::move(jobs_.front());
            jobs_.pop_front();
        }
        job();
        // What the job held is gone before the next one begins: a later job may count on it.
    }
}

}  // namespace instructblip
