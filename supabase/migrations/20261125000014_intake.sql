-- A webhook body of a thousand messages is kept within its provider's patience (bench/bench_database.py).

-- These rows name their tenant through the key of their channel, contact or conversation, which leads to the tenant, and
-- goes with it. A second key to the tenant only doubles what an insert has to look up.
alter table public.contacts drop constraint contacts_tenant_id_fkey;
alter table public.conversations drop constraint conversations_tenant_id_fkey;
alter table public.inbox drop constraint inbox_tenant_id_fkey;
alter table public.messages drop constraint messages_tenant_id_fkey;
alter table public.outbox drop constraint outbox_tenant_id_fkey;

-- Contacts and conversations of the arriving messages; the messages come back with the id that their contact has
-- here. A contact known by phone takes the opaque id when the provider begins to give one, and a message that names
-- its sender by phone alone finds the contact that has this phone. A contact that is as it was is not written again but
-- once a day, so that retention knows when it was last heard of.
create or replace function private.keep_contacts(p_tenant uuid, p_arrivals private.arrival[]) returns private.arrival[]
language plpgsql
set search_path = ''
as $$
declare
  v_messages private.arrival[];
begin
  update public.contacts k set external_id = a.external_id
    -- Of two phones that say the same id, the later one has it.
    from (select distinct on (o.channel_id, o.external_id) o.* from unnest(p_arrivals) o
      where o.tenant_id = p_tenant and o.kind = 'message' and o.phone is not null and o.external_id <> o.phone
      order by o.channel_id, o.external_id, o.place desc) a
    where k.tenant_id = p_tenant and k.channel_id = a.channel_id and k.external_id = a.phone
      and not exists (select from public.contacts o where o.tenant_id = p_tenant and o.channel_id = a.channel_id
        and o.external_id = a.external_id);
  select coalesce(array_agg(row(a.tenant_id, a.channel_id, a.kind, a.key, a.occurred_at, a.item,
      coalesce(k.external_id, a.external_id), a.phone, a.name, a.type, a.body, a.provider_id, a.status, a.place
      )::private.arrival order by a.place), '{}')
    into v_messages
    from unnest(p_arrivals) a
    left join lateral (select c.external_id from public.contacts c where a.external_id = a.phone
      and c.tenant_id = p_tenant and c.channel_id = a.channel_id and c.phone = a.phone limit 1) k on true
    where a.tenant_id = p_tenant and a.kind = 'message';
  insert into public.contacts (tenant_id, channel_id, external_id, phone, name)
    select distinct on (a.channel_id, a.external_id) p_tenant, a.channel_id, a.external_id, a.phone, a.name
    from unnest(v_messages) a
    order by a.channel_id, a.external_id, a.place desc
    on conflict (tenant_id, channel_id, external_id) do update
      set phone = coalesce(excluded.phone, contacts.phone), last_seen_at = now(),
        name = case when excluded.name = '' then contacts.name else excluded.name end
      where contacts.last_seen_at < now() - interval '1 day'
        or contacts.phone is distinct from coalesce(excluded.phone, contacts.phone)
        or (excluded.name <> '' and contacts.name <> excluded.name);
  insert into public.conversations (tenant_id, channel_id, contact_id, last_inbound_at)
    select p_tenant, a.channel_id, k.id, max(a.occurred_at)
    from unnest(v_messages) a join public.contacts k on k.tenant_id = p_tenant
      and k.channel_id = a.channel_id and k.external_id = a.external_id
    group by a.channel_id, k.id
    on conflict (tenant_id, contact_id) do update
      set last_inbound_at = excluded.last_inbound_at
      where conversations.last_inbound_at is null or conversations.last_inbound_at < excluded.last_inbound_at;
  return v_messages;
end $$;

create index messages_age on public.messages (created_at);
